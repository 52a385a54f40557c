// A statement as the two files that FOCUS has for it: its lines as an invoice's, and the month that it is of.

import { withParameters } from "./api.js";
import { actForm, choice, field } from "./forms.js";
import { download, readFile } from "./tools.js";

const PATH = "/v1/exports/statement";
const DATASETS = { invoice_detail: "Invoice Detail", billing_period: "Billing Period" };
const FORMS = { csv: "CSV", parquet: "Parquet" };

export function statementFiles({ centre, month, dimension }) {
  const dataset = choice(DATASETS, { chosen: "invoice_detail" });
  const form = choice(FORMS, { chosen: "csv" });

  async function work() {
    const asked = { cost_centre: centre, month, dimension, dataset: dataset.value, format: form.value };
    const { blob, name } = await readFile(withParameters(PATH, asked));
    download(blob, name);
    return `Written: ${name}. While the month is open it may change: ask again then.`;
  }
  return actForm({
    name: "In FOCUS 1.4",
    fields: [field("Dataset", dataset), field("As", form)],
    label: "Download",
    work,
  });
}
