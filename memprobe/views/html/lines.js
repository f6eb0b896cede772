// Lines over time, and what they are at the place of the pointer or of the arrow keys.
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [640, 240, 70, 24, 10];

/** series: [{name, points: [[seconds, value]]}]; show: how a value is written. */
function lines(title, series, show) {
  const known = series.filter((one) => one.points.length > 1 && one.points.some(([, value]) => value > 0)).slice(0, 6);
  if (!known.length) return null;
  const end = Math.max(...known.flatMap((one) => [one.points[0][0], one.points[one.points.length - 1][0]]));
  const begin = Math.min(...known.map((one) => one.points[0][0]));
  const top = 1.05 * known.reduce((most, one) => one.points.reduce((so, [, value]) => Math.max(so, value), most), 1e-9);
  const x = (seconds) => LEFT + (WIDTH - LEFT - 10) * (seconds - begin) / Math.max(end - begin, 1e-9);
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top;
  const told = element('div', { class: 'told dim', role: 'status' });
  const picture = drawn('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', tabindex: '0', 'aria-label': `${title}: ${known.map((one) => summaryOf(one, show)).join('; ')}` });
  for (let step = 0; step <= 3; step++) picture.append(...rule(y(top * step / 3), show(top * step / 3)));
  for (let step = 0; step <= 4; step++) {
    const seconds = begin + (end - begin) * step / 4;
    picture.append(drawn('text', { x: x(seconds), y: HEIGHT - 6, 'text-anchor': step === 4 ? 'end' : step ? 'middle' : 'start' }, timeOf(seconds)));
  }
  known.forEach((one, place) => picture.append(drawn('polyline', {
    points: one.points.map(([seconds, value]) => `${x(seconds).toFixed(1)},${y(value).toFixed(1)}`).join(' '),
    fill: 'none', stroke: `var(--l${place})`, 'stroke-width': 2,
  })));
  const cross = drawn('line', { y1: TOP, y2: HEIGHT - BOTTOM, stroke: 'var(--dim)', visibility: 'hidden' });
  picture.append(cross);
  let at = end;
  const tell = (seconds) => {
    at = Math.min(end, Math.max(begin, seconds));
    cross.setAttribute('x1', x(at)); cross.setAttribute('x2', x(at)); cross.setAttribute('visibility', 'visible');
    told.textContent = `${timeOf(at)}: ${known.map((one) => `${one.name} ${show(near(one.points, at))}`).join(', ')}`;
  };
  picture.addEventListener('pointermove', (event) => {
    const box = picture.getBoundingClientRect();
    tell(begin + ((event.clientX - box.left) / box.width * WIDTH - LEFT) / (WIDTH - LEFT - 10) * (end - begin));
  });
  picture.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) { event.preventDefault(); tell(at + step * (end - begin) / 40); }
  });
  return element('figure', null, element('figcaption', null, title), picture, legend(known.map((one, place) => [one.name, `var(--l${place})`])), told);
}

function rule(at, text) {
  return [drawn('line', { x1: LEFT, x2: WIDTH - 10, y1: at, y2: at, stroke: 'var(--line)' }),
    drawn('text', { x: LEFT - 6, y: at + 4, 'text-anchor': 'end' }, text)];
}

function near(points, seconds) {
  let [low, high] = [0, points.length - 1];
  while (low < high) { const middle = (low + high) >> 1; if (points[middle][0] < seconds) low = middle + 1; else high = middle; }
  return points[low][1];
}

function summaryOf(one, show) { return `${one.name} from ${show(one.points[0][1])} to ${show(one.points[one.points.length - 1][1])}`; }

function legend(pairs) {
  return element('div', { class: 'legend' }, ...pairs.map(([name, colour]) => {
    const entry = element('span', null, name);
    entry.style.setProperty('--swatch', colour);
    return entry;
  }));
}
