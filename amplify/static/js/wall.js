// A shared board on a wall: draws what the stream of server-sent events says. The page shows the board without it, too.
// Each line is [index, rank, name, points, human clicks, all requests, purchases]; only changed lines come.

const body = document.body;
const lines = [...document.querySelectorAll(".wall-lines li")];
const state = document.querySelector("[data-state]");
const language = document.documentElement.lang;
const whole = new Intl.NumberFormat(language);
const tenth = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const AGAIN_MS = 10_000;

function draw(line, [rank, name, points, human, raw, orders]) {
  const said = [rank, name, tenth.format(points), whole.format(human), whole.format(raw), whole.format(orders)];
  const cells = [...line.querySelectorAll("[data-cell]")];
  if (!line.hidden && cells.every((cell, index) => cell.textContent === said[index])) return;
  cells.forEach((cell, index) => { cell.textContent = said[index]; });
  line.querySelector(".rank").classList.toggle("top", rank <= 3);
  line.classList.remove("fresh");
  void line.offsetWidth; // so that the same mark can begin again
  line.classList.add("fresh");
}

function show({ length, ranked, lines: changed }) {
  for (const [index, ...line] of changed) if (lines[index]) draw(lines[index], line);
  lines.forEach((line, index) => { line.hidden = index >= length; });
  document.querySelector("[data-ranked]").textContent = whole.format(ranked);
  document.querySelector("[data-nobody]").hidden = length > 0;
}

function watch() {
  const source = new EventSource(body.dataset.events);
  source.addEventListener("open", () => { state.textContent = ""; });
  source.addEventListener("board", (event) => show(JSON.parse(event.data)));
  source.addEventListener("end", () => { source.close(); state.textContent = state.dataset.ended; });
  source.addEventListener("error", () => {
    state.textContent = state.dataset.away;
    // A browser gives up after a refusal (too many screens, a proxy's error): we do not.
    if (source.readyState === EventSource.CLOSED) setTimeout(watch, AGAIN_MS);
  });
}

watch();
