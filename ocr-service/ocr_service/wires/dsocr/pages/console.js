// The console: hands documents in, and shows where the tasks stand. What the service says is text, never markup.

const EVERY_MS = 2000;
const ENDED = new Set(["succeeded", "failed", "canceled"]);
const RESULTS = [["Markdown", "result_md", "md"], ["JSON", "result_json", "json"], ["zip", "result_zip", "zip"]];
const byId = (id) => document.getElementById(id);

let key = ""; // kept by this page alone, until it is left

async function ask(path, more = {}) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const answer = await fetch(path, { ...more, headers });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  if (answer.status === 401) byId("key-form").hidden = false;
  throw new Error(told.msg || told.detail || `${answer.status} ${answer.statusText}`);
}

function make(name, text = "", more = {}) {
  return Object.assign(document.createElement(name), { textContent: text }, more);
}

async function tried(work) {
  try {
    await work();
    byId("note").textContent = "";
  } catch (error) {
    byId("note").textContent = error.message;
  }
}

async function save(path, name) {
  const link = make("a", "", { href: URL.createObjectURL(await (await ask(path)).blob()), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

function row(task) {
  const line = make("tr");
  const name = make("td", task.name);
  if (task.message) name.append(make("small", task.message));
  const progress = make("td");
  const label = `Progress of ${task.name}`;
  const bar = make("progress", "", { value: task.progress, max: 1, ariaLabel: label });
  progress.append(bar, ` ${Math.round(100 * task.progress)} %`);
  const results = make("td");
  const base = task.name.replace(/\.\w+$/, "");
  for (const [text, link, ending] of RESULTS) {
    if (task.status !== "succeeded" || !task[link]) continue;
    const get = () => tried(() => save(task[link], `${base}.${ending}`));
    results.append(make("button", text, { ariaLabel: `${text} of ${task.name}`, onclick: get }));
  }
  const path = `/v1/tasks/${task.task_id}`;
  const action = make("td");
  const [text, ...sent] = ENDED.has(task.status)
    ? ["Delete", path, { method: "DELETE" }]
    : ["Cancel", `${path}/cancel`, { method: "POST" }];
  const act = () => tried(() => ask(...sent).then(show));
  action.append(make("button", text, { ariaLabel: `${text} ${task.name}`, onclick: act }));
  line.append(name, make("td", task.status), progress, results, action);
  return line;
}

let shown = "";

async function show() {
  const { tasks } = await (await ask("/v1/tasks")).json();
  if (JSON.stringify(tasks) === shown) return; // else a focused button would be lost
  shown = JSON.stringify(tasks);
  byId("tasks").replaceChildren(...tasks.map(row));
}

async function health() {
  const told = await (await fetch("/healthz")).json();
  byId("health").textContent =
    `${told.status}, ${told.queue_size} waiting, ${told.running_workers} of ${told.max_workers} running`;
}

async function refresh() {
  if (!document.hidden) await tried(() => Promise.all([show(), health()]));
  setTimeout(refresh, EVERY_MS);
}

byId("upload").onsubmit = (event) => {
  event.preventDefault();
  const query = new URLSearchParams(byId("ranges").value.trim() ? { page_ranges: byId("ranges").value } : {});
  tried(async () => {
    for (const file of byId("files").files) {
      const body = new FormData();
      body.append("file", file);
      await ask(`/v1/tasks/upload?${query}`, { method: "POST", body });
    }
    event.target.reset();
    await show();
  });
};

byId("key-form").onsubmit = (event) => {
  event.preventDefault();
  key = byId("key").value;
  byId("key-form").hidden = true;
  tried(show);
};

refresh();
