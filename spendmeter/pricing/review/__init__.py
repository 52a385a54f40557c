"""What people look at before a price is put in force: what changes, what looks wrong, what others say."""
