// Trees of weights: growth by stack, live bytes by holder.

function node(name) { return { name, value: 0, own: 0, children: new Map(), told: '' }; }

/** A tree of paths with weights. Where a path has a weight of its own that covers what is below (retained), it is the larger of both. */
function tree(name, rows) {
  const root = node(name);
  for (const { path, value, told } of rows) {
    let here = root;
    for (const part of path) {
      if (!here.children.has(part)) here.children.set(part, node(part));
      here = here.children.get(part);
    }
    here.own = Math.max(here.own, value);
    here.told = told || here.told;
  }
  weigh(root, false);
  return root;
}

/** As `tree`, but the weights of the same path are added up. */
function sums(name, rows) {
  const root = node(name);
  for (const { path, value } of rows) {
    let here = root;
    for (const part of path) {
      if (!here.children.has(part)) here.children.set(part, node(part));
      here = here.children.get(part);
    }
    here.own += value;
  }
  weigh(root, true);
  return root;
}

function weigh(one, isSum) {
  let below = 0;
  for (const child of one.children.values()) { weigh(child, isSum); below += child.value; }
  one.value = isSum ? one.own + below : Math.max(one.own, below);
}

function largestFirst(one) { return [...one.children.values()].filter((child) => child.value > 0).sort((a, b) => b.value - a.value); }
