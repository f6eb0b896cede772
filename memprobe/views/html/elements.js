'use strict';
// Elements. Text goes in as text nodes only: nothing of a target is ever parsed as markup.

/** An element with attributes (class, href, on...) and children: elements or texts. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** An element of a drawing. */
function drawn(name, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Run `draw` when an element first comes near to what is seen, so that the page is there at once; before printing, too. */
function whenSeen(place, draw) {
  let isDrawn = false;
  const once = () => { if (!isDrawn) { isDrawn = true; observer.disconnect(); draw(); } };
  const observer = new IntersectionObserver((entries) => { if (entries.some((one) => one.isIntersecting)) once(); }, { rootMargin: '300px' });
  observer.observe(place);
  addEventListener('beforeprint', once);
}

/** Names with values; what is empty is left out. */
function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return element('dl', { class: 'facts' }, ...known.flatMap(([name, value]) => [element('dt', null, name), element('dd', null, value)]));
}
