// What one chooses on the page: a network, the order of a table, and how a picture is looked at.
"use strict";

const networks = JSON.parse(document.getElementById("networks").textContent);
const charts = [...document.querySelectorAll(".chart")].map(root => new Chart(root));

// A network: its point in every chart, its row, and its card under the chart that was touched.
function choose(number, chart) {
  const trial = String(number), card = networks[trial];
  for (const each of charts) {
    each.mark(trial);
    each.root.querySelector(".card").hidden = true;
  }
  for (const row of document.querySelectorAll("tr[data-trial]"))
    row.classList.toggle("chosen", row.dataset.trial === trial);
  const place = chart.root.querySelector(".card"), links = [];
  if (card.row) links.push(html("a", {href: `#row-${trial}`}, "its row in the table"));
  if (card.weights) links.push(html("a", {href: card.weights, download: ""}, `its weights (${card.weights})`));
  const pictures = [...document.querySelectorAll(".crops .crop")].filter(crop => crop.dataset.label === card.label);
  place.replaceChildren(
    html("h3", {}, card.title, ...card.notes.map(note => html("span", {class: "chip"}, note))),
    html("p", {}, card.quality), html("p", {}, ...nobreak(card.costs, " · ")),
    html("p", {}, ...nobreak(card.parts, ", ")),
    html("p", {class: "note"}, ...nobreak([...card.knobs, `key ${card.key}`], ", ")),
    html("p", {}, ...links.flatMap((link, index) => index ? [" · ", link] : [link])));
  if (pictures.length) {
    const copies = pictures.map(crop => {
      const copy = html("button", {type: "button", class: "crop", title: crop.closest(".strip").dataset.name},
                        crop.querySelector("img").cloneNode());
      copy.addEventListener("click", () => look(crop));
      return copy;
    });
    place.append(html("div", {class: "thumbs"}, ...copies));
  }
  place.hidden = false;
}
for (const link of document.querySelectorAll("a.pick")) link.addEventListener("click", () => {
  if (charts.length && networks[link.dataset.trial]) choose(link.dataset.trial, charts[0]);
});

// The order of a table.
function sort(head) {
  const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
  const isUp = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
  const value = row => { const cell = row.cells[column]; return cell.dataset.value ?? cell.textContent.trim(); };
  const isNone = text => text === "" || text === "–";
  const compare = (a, b) => {
    if (isNone(a) || isNone(b)) return isNone(a) - isNone(b);       // what is unknown stays at the end
    const apart = Number(a) - Number(b);
    return (isUp ? 1 : -1) * (Number.isNaN(apart) ? a.localeCompare(b, "en", {numeric: true}) : apart);
  };
  [...body.rows].sort((a, b) => compare(value(a), value(b))).forEach(row => body.append(row));
}
for (const head of document.querySelectorAll("table.sortable th"))
  head.querySelector("button").addEventListener("click", () => sort(head));

// A table that is wider than the screen says so.
for (const box of document.querySelectorAll(".scroll")) {
  const hint = () => box.classList.toggle("more", box.scrollWidth > box.clientWidth + box.scrollLeft + 2);
  new ResizeObserver(hint).observe(box);
  box.addEventListener("scroll", hint);
  box.addEventListener("toggle", hint, true);
}
for (const box of document.querySelectorAll(".all-columns input"))
  box.addEventListener("change", () => document.getElementById(box.dataset.table).classList.toggle("every", box.checked));

// A picture, enlarged: two versions of it on each other, and a slider between them.
const viewer = document.getElementById("viewer");
function look(crop) {
  const strip = crop.closest(".strip"), crops = [...strip.querySelectorAll(".crop")];
  const at = name => viewer.querySelector(name);
  const [left, right] = [at("[name=left]"), at("[name=right]")];
  for (const select of [left, right])
    select.replaceChildren(...crops.map((each, index) => new Option(each.dataset.label, index)));
  const reference = crops.findIndex(each => each.dataset.is === "baseline");
  right.value = crops.indexOf(crop);
  left.value = crops.indexOf(crop) === reference ? crops.length - 1 : reference;
  at("h3").textContent = strip.dataset.name;
  const hasWhole = crops.every(each => each.dataset.whole);
  at(".extent").hidden = !hasWhole;
  at("[value=window]").checked = true;
  const show = () => {
    const isWhole = at("[value=whole]").checked;
    const source = select => {
      const chosen = crops[select.value];
      return isWhole ? chosen.dataset.whole : chosen.querySelector("img").src;
    };
    at(".stage").classList.toggle("whole", isWhole);
    at("img.left").src = source(left);
    at("img.right").src = source(right);
    at("img.left").alt = left.selectedOptions[0].text;
    at("img.right").alt = right.selectedOptions[0].text;
    at(".frame").hidden = !isWhole;
    if (strip.dataset.window) {
      const [x, y, width, height] = strip.dataset.window.split(" ");
      Object.assign(at(".frame").style, {left: x + "%", top: y + "%", width: width + "%", height: height + "%"});
    }
    slide();
  };
  const slide = () => at(".stage").style.setProperty("--cut", at("[type=range]").value + "%");
  for (const select of [left, right]) select.onchange = show;
  for (const radio of viewer.querySelectorAll("[type=radio]")) radio.onchange = show;
  at("[type=range]").oninput = slide;
  at("img.right").onload = () => {
    const {naturalWidth: wide, naturalHeight: high} = at("img.right");
    at(".stage").style.setProperty("--aspect", wide / high);
  };
  at("[type=range]").value = 50;
  show();
  viewer.showModal();
}
for (const crop of document.querySelectorAll(".crops .crop")) crop.addEventListener("click", () => look(crop));
viewer.querySelector(".close").addEventListener("click", () => viewer.close());
viewer.addEventListener("click", event => { if (event.target === viewer) viewer.close(); });
const stage = viewer.querySelector(".stage");
stage.addEventListener("pointermove", event => {
  if (event.pointerType === "touch" && !event.buttons) return;
  const box = stage.getBoundingClientRect(), range = viewer.querySelector("[type=range]");
  range.value = 100 * (event.clientX - box.left) / box.width;
  range.oninput();
});
