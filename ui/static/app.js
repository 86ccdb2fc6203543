// The plain page of jobs and their last runs. Every value is set as text, never as markup.
'use strict';

const api = '../v1/';
const zero = '0001-01-01T00:00:00Z';
let shown = null;

const $ = (id) => document.getElementById(id);
const cell = (row, text, name) => {
  const td = row.insertCell();
  td.textContent = text;
  if (name) td.className = name;
  return td;
};
const when = (time) => (!time || time === zero ? '–' : new Date(time).toLocaleString());

async function get(path) {
  const response = await fetch(api + path);
  if (!response.ok) throw new Error(await response.text());
  return { body: await response.json(), total: response.headers.get('X-Total-Count') };
}

function button(text, action) {
  const b = document.createElement('button');
  b.type = 'button';
  b.textContent = text;
  b.addEventListener('click', action);
  return b;
}

async function runNow(name) {
  const response = await fetch(`${api}jobs/${encodeURIComponent(name)}/run`, { method: 'POST' });
  if (!response.ok) alert(await response.text());
  shown = name;
  refresh();
}

function showJobs(jobs, total) {
  $('total').textContent = `(${total})`;
  const rows = jobs.map((job) => {
    const row = document.createElement('tr');
    cell(row, '', 'name').append(button(job.displayname || job.name, () => { shown = job.name; refresh(); }));
    cell(row, job.parent_job ? `after ${job.parent_job}` : job.schedule);
    const status = job.disabled ? 'disabled' : job.status || 'not run yet';
    cell(row, status, job.status);
    cell(row, when(job.next));
    cell(row, `${job.success_count} / ${job.error_count}`);
    cell(row, '').append(button('Run now', () => runNow(job.name)));
    return row;
  });
  $('jobs').replaceChildren(...rows);
}

function showExecutions(name, executions) {
  $('runs').hidden = false;
  $('runs-job').textContent = name;
  const rows = [];
  for (const e of executions) {
    const row = document.createElement('tr');
    const running = e.finished_at === zero;
    cell(row, when(e.started_at));
    cell(row, running ? '–' : `${new Date(e.finished_at) - new Date(e.started_at)} ms`);
    cell(row, e.node_name);
    cell(row, e.attempt);
    const result = running ? 'running' : e.success ? 'success' : e.lost ? 'lost' : 'failed';
    const td = cell(row, result, e.success ? 'success' : running ? '' : 'failed');
    if (e.output) {
      const pre = document.createElement('pre');
      pre.textContent = e.output;
      td.append(pre);
    }
    rows.push(row);
  }
  $('executions').replaceChildren(...rows);
}

async function refresh() {
  try {
    const filter = encodeURIComponent($('filter').value);
    const jobs = await get(`jobs?_start=0&_end=50&q=${filter}`);
    showJobs(jobs.body, jobs.total);
    if (shown) {
      const path = `jobs/${encodeURIComponent(shown)}/executions?_start=0&_end=10&output_size_limit=2000`;
      showExecutions(shown, (await get(path)).body);
    }
    const leader = await get('leader');
    $('cluster').textContent = `leader: ${leader.body.Name}`;
  } catch (error) {
    $('cluster').textContent = `no answer: ${error.message}`;
  }
}

$('filter').addEventListener('input', refresh);
setInterval(refresh, 2000);
refresh();
