// Tables that are searched and sorted. Only so many rows are shown at first.
const ROWS = 12;

/** columns: {name, value(row), show(row), number, wide}. */
function table(caption, columns, rows) {
  const texts = rows.map((row) => columns.map((column) => shown(column, row)).join('\n').toLowerCase());
  const state = { wanted: '', column: null, falling: true, limit: ROWS };
  const body = element('tbody');
  const count = element('span', { class: 'dim', role: 'status' });
  const more = element('button', { type: 'button', onclick: () => { state.limit *= 10; fill(); } }, 'Show more');
  const search = element('input', { type: 'search', placeholder: 'Search', 'aria-label': `Search ${caption}`, oninput: () => { state.wanted = search.value.toLowerCase(); fill(); } });
  const heads = columns.map((column) => head(column));

  function head(column) {
    const sort = () => { state.falling = state.column === column ? !state.falling : true; state.column = column; fill(); };
    return element('th', { scope: 'col', class: column.number && 'number' }, element('button', { type: 'button', onclick: sort }, column.name));
  }

  function fill() {
    const found = rows.map((row, place) => place).filter((place) => texts[place].includes(state.wanted));
    if (state.column) found.sort((a, b) => compared(state.column, rows[a], rows[b]) * (state.falling ? -1 : 1));
    columns.forEach((column, place) => heads[place].setAttribute('aria-sort', state.column !== column ? 'none' : state.falling ? 'descending' : 'ascending'));
    body.replaceChildren(...found.slice(0, state.limit).map((place) => line(rows[place])));
    count.textContent = `${numberOf(found.length)} of ${numberOf(rows.length)} rows`;
    more.hidden = found.length <= state.limit;
  }

  function line(row) {
    return element('tr', null, ...columns.map((column) => element('td', { class: column.number ? 'number' : column.wide && 'wide' }, shown(column, row))));
  }

  fill();
  const grid = element('table', { 'aria-label': caption }, element('thead', null, element('tr', null, ...heads)), body);
  return element('div', null, element('div', { class: 'bar' }, search, count),
    element('div', { class: 'scrolls', tabindex: '0', role: 'region', 'aria-label': caption }, grid), more);
}

function shown(column, row) { return String(column.show ? column.show(row) : column.value(row)); }

function compared(column, one, other) {
  const [a, b] = [column.value(one), column.value(other)];
  if (a === null || b === null) return (a !== null) - (b !== null);
  return typeof a === 'number' ? a - b : String(a).localeCompare(String(b));
}
