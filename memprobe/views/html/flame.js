// Flame graphs and icicles: a block for every node, below the one that it belongs to. Each is a button.
const [ROW, DEEPEST, NARROWEST] = [22, 60, 0.0025];

function flame(title, root, show) {
  const place = element('div', { class: 'blocks', role: 'group', 'aria-label': title });
  const told = element('div', { class: 'told', role: 'status' });
  let path = [root];
  const reset = element('button', { type: 'button', onclick: () => { path = [root]; draw(); } }, 'Whole');
  reset.disabled = true;

  function draw() {
    const focus = path[path.length - 1];
    const blocks = path.slice(0, -1).map((one, depth) => block(one, depth, 0, 1, path.slice(0, depth + 1)));
    let deepest = path.length;
    (function below(one, depth, left, width, way) {
      if (depth > DEEPEST || width < NARROWEST) return;
      deepest = Math.max(deepest, depth + 1);
      blocks.push(block(one, depth, left, width, way));
      for (const child of largestFirst(one)) {
        const share = width * child.value / one.value;
        below(child, depth + 1, left, share, [...way, child]);
        left += share;
      }
    })(focus, path.length - 1, 0, 1, path);
    place.style.height = `${deepest * ROW}px`;
    place.replaceChildren(...blocks);
    reset.disabled = path.length === 1;
  }

  function block(one, depth, left, width, way) {
    const text = `${one.name}: ${show(one.value)}, ${(100 * one.value / root.value).toFixed(1)} %${one.told ? `; ${one.told}` : ''}`;
    const tell = () => { told.textContent = text; };
    const made = element('button', {
      type: 'button', class: `c${depth ? 1 + hashed(one.name) % 4 : 5}`, title: text, 'aria-label': text, onfocus: tell, onpointerenter: tell,
      onclick: () => { path = way; draw(); place.children[way.length - 1].focus(); tell(); },
    }, one.name);
    Object.assign(made.style, { left: `${100 * left}%`, width: `${100 * width}%`, top: `${depth * ROW}px`, height: `${ROW}px` });
    return made;
  }

  whenSeen(place, draw);
  return element('figure', null, element('figcaption', null, title), element('div', { class: 'bar' }, reset), place, told);
}

function hashed(text) {
  let sum = 7;
  for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) >>> 0;
  return sum;
}
