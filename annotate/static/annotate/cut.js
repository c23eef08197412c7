// A threshold is moved on its curve, by keyboard or pointer; its field takes it, and a button shows what it changes.

const SVG = "http://www.w3.org/2000/svg";

function marked(plot) {
  const mark = document.createElementNS(SVG, "rect");
  mark.classList.add("plot-mark");
  mark.setAttribute("width", 10);
  mark.setAttribute("height", 10);
  return plot.appendChild(mark);
}

function bind(cut) {
  const plot = cut.closest("figure").querySelector("svg");
  const points = [...plot.querySelectorAll("[data-threshold]")];
  const field = document.querySelector(`input[name="${cut.dataset.input}"]`);
  const range = cut.querySelector("input");
  const told = cut.querySelectorAll("b");
  const where = (point) => [Number(point.getAttribute("cx")), Number(point.getAttribute("cy"))];
  let mark = plot.querySelector(".plot-mark");

  function show(point) {
    const [x, y] = where(point);
    const { up, across } = point.dataset;
    mark ??= marked(plot);
    mark.setAttribute("x", x - 5);
    mark.setAttribute("y", y - 5);
    [Number(field.value).toFixed(3), up, across].forEach((text, i) => (told[i].textContent = text));
    range.setAttribute("aria-valuetext", cut.querySelector("output").textContent.trim());
  }

  function take(index) {
    range.value = index;
    field.value = points[index].dataset.threshold;
    show(points[index]);
  }

  function follow(event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.getScreenCTM().inverse());
    const away = points.map(where).map(([x, y]) => Math.hypot(x - at.x, y - at.y));
    take(away.indexOf(Math.min(...away)));
  }

  range.addEventListener("input", () => take(range.valueAsNumber));
  plot.addEventListener("pointerdown", (event) => {
    plot.setPointerCapture(event.pointerId);
    follow(event);
  });
  plot.addEventListener("pointermove", (event) => event.buttons && follow(event));

  const at = points.findIndex((point) => Number(point.dataset.threshold) >= Number(field.value));
  range.value = at < 0 ? points.length - 1 : at;
  show(points[range.valueAsNumber]);
  plot.classList.add("moves");
  cut.hidden = false;
}

const cut = document.querySelector(".cut");
if (cut) bind(cut);
