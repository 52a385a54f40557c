// The libraries that draw: fetched when a page first needs one. Their names hold their versions.

const VERSIONS = { uPlot: "uplot-1.6.30", echarts: "echarts-5.3.1" };
const loading = new Map();

// Small, and enough for everything over time.
export const uPlotLibrary = () => {
  addStyle(`/library/${VERSIONS.uPlot}.css`);
  return load("uPlot");
};

// Large: for waterfalls and whatever else has no time.
export const echartsLibrary = () => load("echarts");

// Resolves to what the script leaves in the window; rejects with a TypeError, as fetch does.
function load(name) {
  if (!loading.has(name)) {
    const found = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `/library/${VERSIONS[name]}.js`;
      script.addEventListener("load", () => resolve(window[name]));
      script.addEventListener("error", () => {
        loading.delete(name); // the next chart tries again
        reject(new TypeError("what draws charts cannot be loaded"));
      });
      document.head.append(script);
    });
    loading.set(name, found);
  }
  return loading.get(name);
}

function addStyle(href) {
  if (document.querySelector(`link[href="${href}"]`)) return;
  const style = document.createElement("link");
  Object.assign(style, { rel: "stylesheet", href });
  document.head.append(style);
}
