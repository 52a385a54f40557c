"""The 32 rows of the fault matrix: each names the faults of `make faults` that are it, or the tests that show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """`faults` are names in `tests/faults/matrix.py`; `tests` are node ids, without parameters."""

    number: int
    fault: str
    expected: str
    faults: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


ROWS = (
    Row(number=1, fault="kill -9 of ingest in the middle of requests", expected="the client repeats safely",
        faults=("kill ingest",), tests=("tests/client/test_outage.py",)),
    Row(number=2, fault="kill -9 of rating", expected="a replay, nothing twice", faults=("kill rating",)),
    Row(number=3, fault="kill -9 of the ledger before COMMIT", expected="a replay, nothing twice",
        faults=("kill ledger before COMMIT", "kill corrector", "kill corrector before COMMIT")),
    Row(number=4, fault="kill -9 of the ledger between COMMIT and Kafka's commit", expected="a replay, nothing twice",
        faults=("kill ledger after COMMIT",)),
    Row(number=5, fault="kill -9 of alerts in the middle of a delivery", expected="the same incident id again",
        faults=("kill alerts",)),
    Row(number=6, fault="SIGTERM with the database frozen", expected="ends within its grace, nothing lost",
        faults=("SIGTERM with the database frozen",)),
    Row(number=7, fault="an exception in a worker's code",
        expected="the process ends with an error, is started again, replays", faults=("worker's code raises",),
        tests=("tests/rating/test_faults.py::test_a_bug_ends_the_process",
               "tests/deploy/test_supervisor.py::test_a_killed_service_is_started_again_and_counted")),
    Row(number=8, fault="kill -9 of the broker and its restart", expected="503s, then recovery without help",
        faults=("kill kafka",)),
    Row(number=9, fault="the broker returns an error that no retry mends", expected="the producer is made anew",
        tests=("tests/ingest/test_faults.py::test_after_an_error_that_no_retry_mends_a_new_producer_takes_over",
               "tests/rating/test_faults.py::test_answers_that_fail_are_sent_again_by_a_new_producer")),
    Row(number=10, fault="retention passes a consumer's lag, or a topic is made anew",
        expected="the line stops with an alarm that names the range",
        tests=("tests/flow/test_line_stops.py::test_records_deleted_before_they_were_read_stop_their_line_alone",
               "tests/flow/test_line_stops.py::test_a_topic_created_anew_stops_every_line",
               "tests/ledger/test_worker.py::test_what_lies_behind_an_open_transaction_is_in_flight")),
    Row(number=11, fault="Postgres restarts at once, 20 times in a batch", expected="retries and nothing else",
        faults=("kill postgres", "Postgres restarts 20 times")),
    Row(number=12, fault="the connection is cut when COMMIT was sent", expected="nothing twice",
        faults=("connection cut inside COMMIT", "slow network", "network stands still")),
    Row(number=13, fault="Postgres frozen for 60 s", expected="timeouts, the lag grows, memory does not",
        faults=("Postgres frozen",)),
    Row(number=14, fault="a full disk, or a read-only database",
        expected="no offset is committed; it goes on by itself", faults=("full disk", "read-only database")),
    Row(number=15, fault="rebalance storm: a worker joins or leaves every 3 s", expected="duplicates are absorbed",
        faults=("rebalance storm",)),
    Row(number=16, fault="zombie: SIGSTOP of a worker for 60 to 90 s, then SIGCONT",
        expected="its stale batch adds nothing",
        faults=("zombie rating", "zombie ledger", "zombie corrector", "zombie alerts")),
    Row(number=17, fault="each event sent three times: in a batch, across partitions, across days",
        expected="one row",
        tests=("tests/flow/test_flow.py::test_an_event_sent_three_times_is_one_row",
               "tests/ledger/test_book.py::test_a_copy_in_a_later_batch_is_a_duplicate_and_adds_nothing_to_the_rollups")),
    Row(number=18, fault="the same id with another body, or of two tenants", expected="a visible conflict; both kept",
        tests=("tests/flow/test_flow.py::test_the_same_id_with_another_body_is_a_visible_conflict",
               "tests/flow/test_flow.py::test_two_tenants_may_use_the_same_id")),
    Row(number=19, fault="shuffled, 40 days late, of the future", expected="the right bucket, or refused by the rule",
        tests=("tests/corrector/test_every_size.py::"
               "test_every_size_equals_the_entries_of_100_000_late_and_corrected_events",
               "tests/ingest/test_accept.py::test_a_time_lies_between_the_dedupe_horizon_and_an_hour_ahead")),
    Row(number=20, fault="the clock steps by an hour either way", expected="the money is the same",
        faults=("clocks step",),
        tests=("tests/api/test_as_of.py::test_what_was_told_live_at_a_moment_is_told_as_of_it_for_ever",)),
    Row(number=21, fault="an event of 10 MB, a batch of 10,000, bombs of gzip and zstd",
        expected="413, and memory is bounded",
        tests=("tests/ingest/test_door.py::test_a_request_over_its_bounds_is_413_and_names_the_rule_with_memory_bounded",
               "tests/ingest/test_accept.py::test_gzip_never_unpacks_beyond_its_bound",
               "tests/ingest/test_entrances.py::test_a_bomb_of_zstd_is_refused_before_it_is_unpacked")),
    Row(number=22, fault="nesting a million deep, keys twice, NUL, lone surrogates", expected="400 with a reason",
        tests=("tests/ingest/test_door.py::test_bad_input_is_a_400_with_a_reason_alone_and_in_a_batch",
               "tests/contracts/test_events.py::test_deep_nesting_is_refused",
               "tests/contracts/test_events.py::test_an_id_that_postgres_could_not_hold_is_refused")),
    Row(number=23, fault='NaN, infinity, 1e400, negatives, 2^63, "1_000", full-width digits',
        expected="400 with a reason",
        tests=("tests/contracts/test_events.py::test_a_quantity_that_is_no_plain_number_in_range_is_refused",
               "tests/ingest/test_door.py::test_bad_input_is_a_400_with_a_reason_alone_and_in_a_batch")),
    Row(number=24, fault="a model or provider that nobody knows", expected="provisional, visible, priced anew later",
        tests=("tests/flow/test_catalog.py::test_an_unknown_model_is_in_the_inbox_within_two_seconds",
               "tests/flow/test_catalog.py::test_real_models_that_leave_the_catalog_are_bounded_and_in_the_inbox_within_two_seconds")),
    Row(number=25, fault="the catalog changes meanwhile, also for the past",
        expected="the price of the event's time; corrections are signed entries",
        tests=("tests/flow/test_repriced.py::"
               "test_jobs_while_events_arrive_and_prices_change_leave_what_the_last_prices_come_to",
               "tests/flow/test_catalog.py::test_kill_9_in_a_publication_leaves_the_old_book_or_the_new_one")),
    Row(number=26, fault="random bytes, an empty value, a tombstone, another schema on a topic",
        expected="a rejected row, and the next offset",
        tests=("tests/flow/test_flow.py::test_junk_on_usage_events_is_rejected_and_the_next_offset_proceeds",
               "tests/flow/test_flow.py::test_junk_on_usage_rated_is_a_stray_and_the_next_offset_proceeds",
               "tests/flow/test_flow.py::test_junk_on_the_other_topics_is_skipped")),
    Row(number=27, fault="one poison event in 5,000", expected="4,999 booked, one rejected",
        tests=("tests/flow/test_flow.py::test_one_poison_event_in_five_thousand_costs_one_event",)),
    Row(number=28, fault="every topic once more from 0", expected="the book's hash is the same",
        faults=("replay of everything from 0",),
        tests=("tests/flow/test_repriced.py::"
               "test_every_topic_once_more_from_its_beginning_leaves_every_table_as_it_was",)),
    Row(number=29, fault="an older backup of the database is restored", expected="equals what was sent",
        faults=("older backup restored",),
        tests=("tests/flow/test_restored.py::"
               "test_an_approval_that_the_database_lost_is_brought_back_with_its_version_and_nothing_else_gets_it",)),
    Row(number=30, fault="a webhook that is slow, fails, or leads to a private address",
        expected="nobody else waits; it is not called",
        tests=("tests/alerts/test_deliveries.py::test_a_tenant_whose_receivers_all_hang_silences_no_other_tenant",
               "tests/alerts/test_deliveries.py::test_a_failing_receiver_is_tried_seven_times_with_one_id",
               "tests/alerts/test_deliveries.py::test_a_name_that_leads_to_a_private_address_is_refused",
               "tests/alerts/test_deliveries.py::test_a_forbidden_url_is_never_called")),
    Row(number=31, fault="pooled connections of two tenants, 1,000 requests at once, some cancelled", expected="I8",
        tests=("tests/api/test_isolation.py::"
               "test_a_thousand_requests_of_two_tenants_some_cancelled_see_their_own_rows_alone",
               "tests/api/test_isolation.py::test_a_tenant_does_not_outlive_its_transaction_on_a_pooled_connection")),
    Row(number=32, fault="more than 101 keys in one flush; a flush that fails", expected="all of it is there",
        tests=("tests/ledger/test_touched.py::test_with_very_many_tenants_each_has_its_turn",
               "tests/rating/test_faults.py::test_answers_that_fail_are_sent_again_by_a_new_producer",
               "tests/flow/test_twenty_thousand_labels.py::"
               "test_twenty_thousand_label_values_sent_through_ingest_are_the_largest_and_the_others")),
)  # fmt: skip
