// A treemap: the area of a block is what it takes; squarified (Bruls, Huizing and van Wijk).
const BLOCKS = 150;

/** rows: {name, value, told, grown}; what has grown is set apart by its colour. */
function treemap(title, rows, show) {
  const place = element('div', { class: 'blocks', role: 'group', 'aria-label': title });
  const told = element('div', { class: 'told', role: 'status' });
  const known = rows.filter((one) => one.value > 0).sort((a, b) => b.value - a.value);
  const rest = known.slice(BLOCKS).reduce((sum, one) => sum + one.value, 0);
  const blocks = known.slice(0, BLOCKS).concat(rest ? [{ name: 'others', value: rest, told: '', grown: 0 }] : []);
  const total = blocks.reduce((sum, one) => sum + one.value, 0);
  whenSeen(place, () => {
    place.style.height = '24rem';
    const [width, height] = [place.clientWidth || 640, 384];
    place.replaceChildren(...squares(blocks, total, width, height).map(([one, left, top, wide, high]) => {
      const text = `${one.name}: ${show(one.value)}, ${(100 * one.value / total).toFixed(1)} %${one.told ? `; ${one.told}` : ''}`;
      const tell = () => { told.textContent = text; };
      const made = element('button', { type: 'button', class: one.grown > 0 ? 'c1' : 'c0', title: text, 'aria-label': text, onfocus: tell, onpointerenter: tell, onclick: tell }, one.name);
      Object.assign(made.style, { left: `${100 * left / width}%`, top: `${100 * top / height}%`, width: `${100 * wide / width}%`, height: `${100 * high / height}%` });
      return made;
    }));
  });
  return element('figure', null, element('figcaption', null, title), place, legend([['has grown', 'var(--c1)'], ['has not', 'var(--c0)']]), told);
}

function squares(rows, total, width, height) {
  const scale = width * height / Math.max(total, 1e-9);
  const placed = [];
  let [left, top, wide, high, begin] = [0, 0, width, height, 0];
  while (begin < rows.length) {
    const side = Math.max(Math.min(wide, high), 1e-6);
    let [end, area, worst] = [begin, 0, Infinity];
    while (end < rows.length) {
      const next = area + rows[end].value * scale;
      const depth = next / side;
      const ratio = Math.max(...[rows[begin], rows[end]].map((one) => { const along = one.value * scale / depth; return Math.max(along / depth, depth / along); }));
      if (ratio > worst) break;
      [worst, area, end] = [ratio, next, end + 1];
    }
    const depth = area / side;
    let along = 0;
    for (const one of rows.slice(begin, end)) {
      const length = one.value * scale / depth;
      placed.push(wide >= high ? [one, left, top + along, depth, length] : [one, left + along, top, length, depth]);
      along += length;
    }
    if (wide >= high) { left += depth; wide -= depth; } else { top += depth; high -= depth; }
    begin = end;
  }
  return placed;
}
