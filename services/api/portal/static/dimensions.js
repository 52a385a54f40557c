// The tenant's own dimensions, as a page of the settings.

import { dimensionsCard } from "./card-dimensions.js";
import { SLOW_BEATS, everyNth } from "./refresh.js";
import { el } from "./dom.js";

export function dimensionsPage() {
  const dimensions = dimensionsCard();
  const due = everyNth(SLOW_BEATS);
  const element = el("div", { className: "stacked" }, el("h1", "Dimensions"), dimensions.card);

  async function refresh() {
    if (!due()) return null;
    const { error } = await dimensions.refresh();
    if (error) throw error;
    return null;
  }
  return { element, refresh, timeless: true };
}
