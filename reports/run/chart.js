// Draws the fronts: points, labels, zoom, and a way to every point by mouse, finger and keyboard.
"use strict";

const MARGIN = {left: 60, right: 14, top: 14, bottom: 48};
const NEAR_PX = 22;       // how far from a point a touch still means it
const KIND_ORDER = ["other", "found", "approximation", "paper"];

function svg(name, attributes, parent, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

function html(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Words of which each stays on one line, so that no line ends inside a pair of brackets.
function nobreak(parts, separator) {
  return parts.flatMap((part, index) => [
    html("span", {class: "nobreak"}, part + (index < parts.length - 1 ? separator.trimEnd() : "")), " "]);
}

function star(x, y, radius) {
  const corner = index => {
    const angle = Math.PI * index / 5, reach = index % 2 ? 0.42 * radius : radius;
    return `${(x + reach * Math.sin(angle)).toFixed(1)},${(y - reach * Math.cos(angle)).toFixed(1)}`;
  };
  return [...Array(10).keys()].map(corner).join(" ");
}

// Round numbers from low to high, about `count` of them.
function ticks(low, high, count, log) {
  if (log && high / low > 8) {
    const steps = high / low < 700 ? [1, 2, 5] : high / low < 5000 ? [1, 3] : [1], found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const step of steps) found.push(step * 10 ** power);
    return found.filter(value => low <= value && value <= high);
  }
  const rough = (high - low) / count, unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 2.5, 5, 10].find(factor => factor * unit >= rough), found = [];
  for (let value = Math.ceil(low / step); value * step <= high; value++) found.push(value * step);
  return found;
}

class Chart {
  constructor(root) {
    this.root = root;
    this.plot = root.querySelector(".plot");
    this.data = JSON.parse(root.querySelector("script").textContent);
    this.window = [...this.data.window];
    this.isZoomed = false;
    this.active = Math.max(0, this.data.points.findIndex(point => point.kind === "found"));
    this.tip = html("div", {class: "tip", hidden: ""});
    for (const button of root.querySelectorAll("[data-zoom]"))
      button.addEventListener("click", () => this.zoom(Number(button.dataset.zoom)));
    new ResizeObserver(() => this.draw()).observe(this.plot);
    this.listen();
  }

  get size() { return [this.plot.clientWidth - MARGIN.left - MARGIN.right, this.data.height]; }
  axis(cost) { return this.data.log ? Math.log(cost) : cost; }
  fromAxis(value) { return this.data.log ? Math.exp(value) : value; }

  x(cost) {
    const [left, right] = this.window.map(value => this.axis(value));
    return MARGIN.left + this.size[0] * (this.axis(cost) - left) / (right - left);
  }

  y(db) {
    const [, , bottom, top] = this.window;
    return MARGIN.top + this.size[1] * (top - db) / (top - bottom);
  }

  // Where a point is drawn; undefined outside. What lies below the first view is kept at its lower edge.
  spot(point) {
    const [left, right, bottom, top] = this.window, sunk = point.below && point.db < bottom;
    if (point.cost < left || point.cost > right || point.db > top || (point.db < bottom && !sunk)) return undefined;
    return {x: this.x(point.cost), y: sunk ? MARGIN.top + this.size[1] - 7 : this.y(point.db), sunk};
  }

  draw() {
    const [width, height] = this.size;
    if (width < 50) return;
    const hadFocus = this.plot.contains(document.activeElement);
    const id = `clip-${this.root.dataset.cost}`;
    const picture = svg("svg", {
      width: this.plot.clientWidth, height: height + MARGIN.top + MARGIN.bottom, role: "group",
      "aria-label": `${this.data.up} over ${this.data.across}: arrow keys go from network to network, Enter chooses`,
    });
    const clip = svg("clipPath", {id}, picture);
    svg("rect", {x: MARGIN.left, y: MARGIN.top, width, height}, clip);
    this.axes(picture, width, height);
    const inside = svg("g", {"clip-path": `url(#${id})`}, picture);
    this.lines(inside, width, height);
    this.points(inside);
    this.labels(picture, width, height);
    this.plot.replaceChildren(picture, this.tip);
    if (hadFocus) this.focus(this.active);
  }

  axes(picture, width, height) {
    const [left, right, bottom, top] = this.window;
    const y = MARGIN.top + height;
    for (const db of ticks(bottom, top, 7, false)) {
      svg("line", {class: "grid", x1: MARGIN.left, x2: MARGIN.left + width, y1: this.y(db), y2: this.y(db)}, picture);
      const text = Number(db.toFixed(4)).toString();
      svg("text", {class: "tick", x: MARGIN.left - 7, y: this.y(db) + 4, "text-anchor": "end"}, picture, text);
    }
    svg("line", {class: "axis", x1: MARGIN.left, x2: MARGIN.left + width, y1: y, y2: y}, picture);
    let free = -Infinity;
    for (const cost of ticks(left, right, Math.max(2, width / 90), this.data.log)) {
      const x = this.x(cost), text = cost.toLocaleString("en-US", {maximumSignificantDigits: 4});
      svg("line", {class: "axis", x1: x, x2: x, y1: y, y2: y + 5}, picture);
      const half = 4 * text.length;
      if (x - half < free) continue;
      free = x + half + 4;
      svg("text", {class: "tick", x, y: y + 19, "text-anchor": "middle"}, picture, text);
    }
    svg("text", {class: "title", x: MARGIN.left + width / 2, y: y + 40, "text-anchor": "middle"}, picture,
        this.data.across);
    const middle = MARGIN.top + height / 2;
    svg("text", {class: "title", x: 13, y: middle, "text-anchor": "middle", transform: `rotate(-90 13 ${middle})`},
        picture, this.data.up);
  }

  lines(inside, width, height) {
    const join = spots => spots.map(([cost, db]) => `${this.x(cost).toFixed(1)},${this.y(db).toFixed(1)}`).join(" ");
    for (const pair of this.data.ties) svg("polyline", {class: "tie", points: join(pair)}, inside);
    for (const pair of this.data.sameTime) svg("polyline", {class: "same-time", points: join(pair)}, inside);
    for (const pair of this.data.descents) svg("polyline", {class: "descent", points: join(pair)}, inside);
    for (const db of this.data.levels)
      svg("line", {class: "level", x1: MARGIN.left, x2: MARGIN.left + width, y1: this.y(db), y2: this.y(db)}, inside);
    if (this.data.budget !== null) {
      const x = this.x(this.data.budget);
      svg("line", {class: "budget", x1: x, x2: x, y1: MARGIN.top, y2: MARGIN.top + height}, inside);
    }
    const steps = this.data.outline.flatMap((corner, index, all) => index
      ? [[corner[0], all[index - 1][1]], corner] : [corner]);
    if (steps.length > 1) svg("polyline", {class: "outline", points: join(steps)}, inside);
  }

  points(inside) {
    this.marks = new Map();
    const dots = this.data.dots.map(([cost, db]) => this.spot({cost, db, below: false})).filter(spot => spot);
    if (dots.length)
      svg("path", {class: "dots", d: dots.map(({x, y}) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("")}, inside);
    const drawn = this.data.points.map((point, index) => [point, index])
      .sort((a, b) => KIND_ORDER.indexOf(a[0].kind) - KIND_ORDER.indexOf(b[0].kind));
    for (const [point, index] of drawn) {
      const spot = this.spot(point);
      if (!spot) continue;
      const chosen = String(point.trial) === this.chosen ? " chosen" : "";
      const mark = svg("g", {
        class: `point ${point.kind}${chosen}`, role: "button", tabindex: index === this.active ? 0 : -1,
        "aria-label": said(point.trial),
      }, inside);
      if (point.band && !spot.sunk)
        svg("line", {class: "band", x1: this.x(point.band[0]), x2: this.x(point.band[1]), y1: spot.y, y2: spot.y}, mark);
      svg("circle", {class: "ring", cx: spot.x, cy: spot.y, r: 12}, mark);
      if (spot.sunk) svg("path", {d: `M${spot.x - 6} ${spot.y - 5}h12l-6 11z`}, mark);
      else if (point.kind === "paper" || point.kind === "approximation")
        svg("polygon", {points: star(spot.x, spot.y, 10)}, mark);
      else svg("circle", {cx: spot.x, cy: spot.y, r: point.kind === "found" ? 6 : 4}, mark);
      this.marks.set(index, {mark, ...spot});
    }
  }

  labels(picture, width, height) {
    const sets = this.data.labels, {labels} = sets.filter(set => set.width_px <= width).at(-1) ?? sets[0];
    const [left, right, bottom, top] = this.window;
    for (const label of labels) {
      if (label.db !== undefined && !(bottom <= label.db && label.db <= top)) continue;
      if (label.cost !== undefined && !(left <= label.cost && label.cost <= right)) continue;
      if (label.kind === "level") {
        const isRight = label.side === "right";
        svg("text", {
          class: "label level", x: isRight ? MARGIN.left + width : MARGIN.left + 2,
          y: this.y(label.db) + (label.above ? -4 : 12), "text-anchor": isRight ? "end" : "start",
        }, picture, label.lines[0]);
      } else if (label.kind === "budget") {
        const x = this.x(label.cost) + (label.side === "right" ? 13 : -4), y = MARGIN.top + (label.above ? 0 : height);
        svg("text", {
          class: "label budget", "text-anchor": label.above ? "end" : "start", transform: `translate(${x} ${y}) rotate(-90)`,
        }, picture, label.lines[0]);
      } else this.pointLabel(picture, label);
    }
  }

  pointLabel(picture, label) {
    const x = this.x(label.cost) + label.right, y = this.y(label.db) - label.up, tall = 16 * label.lines.length;
    const group = svg("g", {class: `label ${label.kind}`}, picture);
    const texts = label.lines.map((line, index) => svg("text", {
      x, y: y - tall / 2 + 16 * index + 12, "text-anchor": "middle"}, group, line));
    if (!label.leader) return;
    const half = Math.max(...texts.map((_, index) => 3.4 * label.lines[index].length));
    const end = [Math.min(Math.max(this.x(label.cost), x - half), x + half),
                 Math.min(Math.max(this.y(label.db), y - tall / 2), y + tall / 2)];
    svg("line", {x1: this.x(label.cost), y1: this.y(label.db), x2: end[0], y2: end[1]}, group);
  }

  listen() {
    let from = null;
    this.plot.addEventListener("pointerdown", event => { from = [event.clientX, event.clientY, [...this.window]]; });
    addEventListener("pointerup", () => { from = null; });
    this.plot.addEventListener("pointermove", event => {
      if (from && this.isZoomed && event.buttons) this.pan(event.clientX - from[0], event.clientY - from[1], from[2]);
      else this.show(this.nearest(event));
    });
    this.plot.addEventListener("pointerleave", () => this.show(undefined));
    this.plot.addEventListener("click", event => {
      const index = this.nearest(event);
      if (index !== undefined) { this.focus(index); choose(this.data.points[index].trial, this); }
    });
    this.plot.addEventListener("focusin", event => {
      for (const [index, {mark}] of this.marks) if (mark === event.target) this.show(index);
    });
    this.plot.addEventListener("focusout", () => this.show(undefined));
    this.plot.addEventListener("keydown", event => this.key(event));
  }

  key(event) {
    const there = [...this.marks.keys()].sort((a, b) => a - b), at = there.indexOf(this.active);
    const goals = {ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1, Home: 0, End: there.length - 1};
    const zooms = {"+": 2, "-": 0.5, "0": 0};
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in goals) this.focus(there[Math.min(Math.max(goals[event.key], 0), there.length - 1)]);
    else if (event.key in zooms) this.zoom(zooms[event.key]);
    else if (event.key === "Enter" || event.key === " ") choose(this.data.points[this.active].trial, this);
    else if (event.key === "Escape") this.show(undefined);
    else return;
    event.preventDefault();
  }

  focus(index) {
    if (!this.marks.has(index)) return;
    this.marks.get(this.active)?.mark.setAttribute("tabindex", -1);
    this.active = index;
    const {mark} = this.marks.get(index);
    mark.setAttribute("tabindex", 0);
    mark.focus({preventScroll: true});
  }

  nearest(event) {
    const box = this.plot.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best, reach = NEAR_PX;
    for (const [index, spot] of this.marks) {
      const distance = Math.hypot(spot.x - x, spot.y - y);
      if (distance < reach) [best, reach] = [index, distance];
    }
    return best;
  }

  show(index) {
    this.tip.hidden = index === undefined;
    if (index === undefined) return;
    const {x, y} = this.marks.get(index), card = networks[this.data.points[index].trial];
    this.tip.replaceChildren(html("b", {}, card.title), html("div", {}, card.quality),
      html("div", {}, ...nobreak(card.costs, " · ")), html("div", {}, ...nobreak(card.parts, ", ")));
    const room = this.plot.clientWidth, left = Math.min(Math.max(x - this.tip.offsetWidth / 2, 0), room - this.tip.offsetWidth);
    const above = y - this.tip.offsetHeight - 14;
    this.tip.style.translate = `${left}px ${above > 0 ? above : y + 14}px`;
  }

  // Closer by `factor` around the active point; 0 shows all again.
  zoom(factor) {
    this.isZoomed = factor > 0;
    if (!factor) this.window = [...this.data.window];
    else {
      const point = this.data.points[this.active], [left, right, bottom, top] = this.window;
      const [a, b] = [this.axis(left), this.axis(right)];
      const x = this.chosen ? this.axis(point.cost) : (a + b) / 2, y = this.chosen ? point.db : (bottom + top) / 2;
      const [across, up] = [(b - a) / factor / 2, (top - bottom) / factor / 2];
      const low = this.data.log ? x - across : Math.max(x - across, 0);
      this.window = [this.fromAxis(low), this.fromAxis(x + across), y - up, y + up];
    }
    this.draw();
  }

  pan(right, down, [low, high, bottom, top]) {
    const [width, height] = this.size, [a, b] = [this.axis(low), this.axis(high)];
    const across = (b - a) * right / width, up = (top - bottom) * down / height;
    if (!this.data.log && a - across < 0) return;
    this.window = [this.fromAxis(a - across), this.fromAxis(b - across), bottom + up, top + up];
    this.draw();
  }

  mark(trial) {
    this.chosen = trial;
    const index = this.data.points.findIndex(point => String(point.trial) === trial);
    if (index >= 0) this.active = index;
    this.draw();
  }
}

function said(trial) {
  const card = networks[trial];
  return [card.title, ...card.notes, card.quality, ...card.costs].join(", ");
}
