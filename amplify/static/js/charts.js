// Draws every <figure data-chart> from its JSON with ECharts, as SVG, in the page's colours, language and theme.
// The table beside it is the chart for everybody who cannot see it, and all there is if this file does not run.

const drawn = new Map();
let library;

const load = (address) =>
  (library ??= new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: address });
    script.onload = () => resolve(window.echarts);
    script.onerror = reject;
    document.head.append(script);
  }));

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Told apart by lightness as well as by hue; the first is the brand's.
const ORDER = ["accent-edge", "passive-mark", "promoter-mark", "detractor-mark", "warn", "ink-soft"];
const TONES = {
  accent: "accent-edge",
  muted: "passive-mark",
  promoter: "promoter-mark",
  passive: "passive-mark",
  detractor: "detractor-mark",
};

const tone = (series, index) => colour(TONES[series.tone] ?? ORDER[index % ORDER.length]);

const format = (unit) => {
  const style = unit === "percent" ? { style: "percent", maximumFractionDigits: 1 } : { maximumFractionDigits: 1 };
  const formatter = new Intl.NumberFormat(document.documentElement.lang, style);
  return (value) => (value === null || value === undefined || Number.isNaN(value) ? "–" : formatter.format(value));
};

function axes(spec, print) {
  const ink = colour("ink-soft");
  const line = colour("line");
  const lying = spec.kind === "bars" || spec.kind === "stacked";
  const names = {
    type: "category",
    data: spec.categories,
    inverse: lying,
    boundaryGap: spec.kind !== "lines",
    axisTick: { show: false },
    axisLine: { lineStyle: { color: line } },
    axisLabel: { color: ink, fontSize: 12, hideOverlap: !lying, ...(lying ? { width: 132, overflow: "truncate" } : {}) },
  };
  const values = {
    type: "value",
    axisLabel: { color: ink, fontSize: 12, formatter: print, hideOverlap: true },
    splitLine: { lineStyle: { color: line } },
    splitNumber: 4,
    ...(spec.kind === "stacked" && spec.unit === "percent" ? { max: 1, interval: 0.25 } : {}),
  };
  return lying ? { xAxis: values, yAxis: names } : { xAxis: names, yAxis: values };
}

function plotted(spec, one, index, print) {
  const paint = tone(one, index);
  const base = { name: one.name, data: one.values, itemStyle: { color: paint } };
  if (spec.kind === "lines") {
    return { ...base, type: "line", smooth: 0.2, showSymbol: one.values.length < 32, symbolSize: 6, lineStyle: { width: 2.5, color: paint, type: index % 2 ? "dashed" : "solid" }, connectNulls: false };
  }
  const alone = spec.series.length === 1 && spec.kind === "bars";
  return {
    ...base,
    type: "bar",
    barMaxWidth: 22,
    stack: spec.kind === "stacked" ? "all" : undefined,
    itemStyle: { color: paint, ...(spec.kind === "stacked" ? { borderColor: colour("surface"), borderWidth: 1 } : { borderRadius: 4 }) },
    label: { show: alone, position: "right", color: colour("ink"), fontSize: 12, fontWeight: 600, formatter: ({ value }) => print(value) },
  };
}

function options(spec) {
  const print = format(spec.unit);
  const many = spec.series.length > 1;
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 500,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    aria: { enabled: true, label: { description: spec.title } },
    grid: { left: 4, right: many || spec.kind !== "bars" ? 16 : 44, top: many ? 40 : 8, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    legend: many ? { top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 12, textStyle: { color: colour("ink") } } : undefined,
    // Rich text is drawn into the SVG; the HTML kind would need inline styles, which the CSP forbids.
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      axisPointer: { type: spec.kind === "lines" ? "line" : "shadow" },
      backgroundColor: colour("raised"),
      borderColor: colour("line-strong"),
      textStyle: { color: colour("ink"), fontSize: 13 },
      valueFormatter: print,
    },
    ...axes(spec, print),
    series: spec.series.map((one, index) => plotted(spec, one, index, print)),
  };
}

const height = (spec) => {
  if (spec.kind === "lines" || spec.kind === "columns") return 260;
  const bars = spec.kind === "stacked" ? 1 : spec.series.length;
  const legend = spec.series.length > 1 ? 32 : 0;
  return 44 + legend + spec.categories.length * (18 + 20 * bars);
};

async function draw(figure) {
  const plot = figure.querySelector(".chart-plot");
  const spec = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  const echarts = await load(figure.dataset.library);
  drawn.get(plot)?.dispose();
  plot.hidden = false;
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", spec.title);
  plot.style.height = `${height(spec)}px`;
  const chart = echarts.init(plot, null, { renderer: "svg" });
  chart.setOption(options(spec));
  drawn.set(plot, chart);
  figure.dataset.drawn = "";
}

const all = (root) => Promise.all([...root.querySelectorAll("figure[data-chart]")].map(draw));

new ResizeObserver(() => drawn.forEach((chart) => chart.resize())).observe(document.body);
document.addEventListener("themechange", () => all(document));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => all(document));
document.addEventListener("htmx:load", (event) => { if (event.target !== document.body) all(event.target); });
all(document);
