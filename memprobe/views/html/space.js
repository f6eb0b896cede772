// The address space as a town: a tower for every region, in the order of addresses, row after row. The glass is what
// is reserved, what fills it is used, the red top is what has grown. Turned with the pointer or the arrow keys.
const KINDS = ['file', 'python', 'heap', 'stack', 'anonymous', 'other'];
const TINTS = [[120, 150, 190], [70, 150, 90], [200, 130, 50], [140, 100, 190], [60, 140, 200], [130, 130, 130]];
const RED = [205, 55, 45];

function space(title, regions) {
  const canvas = element('canvas', { tabindex: '0', role: 'img', 'aria-label': `${title}: ${regions.length} regions. Arrow keys turn it, plus and minus zoom; the table below has the numbers.` });
  const told = element('div', { class: 'told', role: 'status' });
  const view = { yaw: 0.6, pitch: 0.6, zoom: 1 };
  const columns = Math.max(1, Math.ceil(Math.sqrt(regions.length)));
  const tallest = Math.max(...regions.map((one) => height(Math.max(one.used, 1))), 1);
  let faces = [];
  const towers = regions.map((one, place) => {
    const row = Math.floor(place / columns);
    const step = row % 2 ? columns - 1 - place % columns : place % columns;  // there and back: neighbours stay neighbours
    return { one, x: step - columns / 2 + 0.5, y: row - columns / 2 + 0.5, scale: 0.4 * columns / tallest };
  });

  function height(bytes) { return Math.sqrt(bytes / 4096); }

  function draw() {
    const [wide, high] = [canvas.clientWidth || 640, canvas.clientHeight || 400];
    const ratio = Math.min(devicePixelRatio || 1, 2);
    if (canvas.width !== wide * ratio || canvas.height !== high * ratio) { canvas.width = wide * ratio; canvas.height = high * ratio; }
    const pen = canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, high);
    const unit = view.zoom * Math.min(wide, high * 1.5) / (1.7 * columns);
    const [cy, sy, cp, sp] = [Math.cos(view.yaw), Math.sin(view.yaw), Math.cos(view.pitch), Math.sin(view.pitch)];
    const seen = (x, y, z) => [wide / 2 + (x * cy - y * sy) * unit, high * 0.64 + ((x * sy + y * cy) * sp - z * cp) * unit];
    faces = [];
    const behind = [...towers].sort((a, b) => (a.x * sy + a.y * cy) - (b.x * sy + b.y * cy));
    for (const tower of behind) {
      const used = Math.max(0.02, height(tower.one.used) * tower.scale);
      const grown = Math.min(used, tower.one.grown > 0 ? used * tower.one.grown / Math.max(tower.one.used, 1) : 0);
      const tint = TINTS[KINDS.indexOf(tower.one.kind)] || TINTS[5];
      box(pen, seen, tower, 0, used - grown, tint, 1);
      if (grown > 0) box(pen, seen, tower, used - grown, used, RED, 1);
      const whole = Math.min(Math.max(height(tower.one.size) * tower.scale, used), 0.4 * columns);
      if (whole > used * 1.02) box(pen, seen, tower, used, whole, tint, 0.12);
    }
    Object.assign(canvas.dataset, { yaw: view.yaw.toFixed(3), pitch: view.pitch.toFixed(3), zoom: view.zoom.toFixed(3), drawn: faces.length });
  }

  function box(pen, seen, tower, low, high, tint, alpha) {
    const half = 0.42;
    const corner = (dx, dy, z) => seen(tower.x + dx * half, tower.y + dy * half, z);
    const sides = [[[-1, -1], [1, -1]], [[1, -1], [1, 1]], [[1, 1], [-1, 1]], [[-1, 1], [-1, -1]]];
    for (const [[ax, ay], [bx, by]] of sides) {
      const [nx, ny] = [(ax + bx) / 2, (ay + by) / 2];
      if (nx * Math.sin(view.yaw) + ny * Math.cos(view.yaw) <= 0) continue;  // looks away
      const light = 0.72 + 0.14 * (nx * Math.cos(view.yaw) - ny * Math.sin(view.yaw));
      face(pen, [corner(ax, ay, low), corner(bx, by, low), corner(bx, by, high), corner(ax, ay, high)], tint, light, alpha, tower.one);
    }
    face(pen, [corner(-1, -1, high), corner(1, -1, high), corner(1, 1, high), corner(-1, 1, high)], tint, 1, alpha, tower.one);
  }

  function face(pen, points, tint, light, alpha, one) {
    const path = new Path2D();
    points.forEach(([x, y], place) => (place ? path.lineTo(x, y) : path.moveTo(x, y)));
    path.closePath();
    pen.fillStyle = `rgba(${tint.map((part) => Math.round(part * light)).join(',')},${alpha})`;
    pen.fill(path);
    faces.push([path, one]);
  }

  function tell(event) {
    const box = canvas.getBoundingClientRect();
    const pen = canvas.getContext('2d');
    pen.setTransform(1, 0, 0, 1, 0, 0);
    const hit = faces.findLast(([path]) => pen.isPointInPath(path, event.clientX - box.left, event.clientY - box.top));
    told.textContent = hit ? regionText(hit[1]) : '';
  }

  let last = null;
  let waits = false;
  const later = () => { if (!waits) { waits = true; requestAnimationFrame(() => { waits = false; draw(); }); } };
  const turn = (yaw, pitch) => { view.yaw += yaw; view.pitch = Math.min(1.5, Math.max(0.1, view.pitch + pitch)); later(); };
  const zoom = (by) => { view.zoom = Math.min(20, Math.max(0.3, view.zoom * by)); later(); };
  canvas.addEventListener('pointerdown', (event) => { last = event; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener('pointerup', () => { last = null; });
  canvas.addEventListener('pointermove', (event) => {
    if (last) { turn((event.clientX - last.clientX) / 150, (event.clientY - last.clientY) / 150); last = event; } else tell(event);
  });
  canvas.addEventListener('wheel', (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 400)); }, { passive: false });
  canvas.addEventListener('keydown', (event) => {
    const moves = { ArrowLeft: () => turn(-0.1, 0), ArrowRight: () => turn(0.1, 0), ArrowUp: () => turn(0, 0.1), ArrowDown: () => turn(0, -0.1), '+': () => zoom(1.2), '-': () => zoom(1 / 1.2) };
    if (moves[event.key]) { event.preventDefault(); moves[event.key](); }
  });
  whenSeen(canvas, draw);
  addEventListener('resize', later);
  const buttons = [['Turn left', () => turn(-0.3, 0)], ['Turn right', () => turn(0.3, 0)], ['Closer', () => zoom(1.3)], ['Farther', () => zoom(1 / 1.3)]];
  return element('figure', null, element('figcaption', null, title),
    element('div', { class: 'bar' }, ...buttons.map(([name, act]) => element('button', { type: 'button', onclick: act }, name))), canvas,
    legend(KINDS.map((kind, place) => [kind, `rgb(${TINTS[place].join(',')})`]).concat([['has grown', `rgb(${RED.join(',')})`]])), told);
}

function regionText(one) {
  return `${one.start} ${one.kind}: ${sizeOf(one.used)} used of ${sizeOf(one.size)}, grown by ${sizeOf(one.grown)}`;
}
