// Keeps the tiles true: asks once a second, touches only what changed. The page is complete without it.
"use strict";
const words = JSON.parse(document.getElementById("words").textContent);
const tiles = new Map([...document.querySelectorAll(".tile")].map((tile) => [tile.dataset.account, tile]));
const put = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
const mark = (element, name, value) => { if (element.dataset[name] !== value) element.dataset[name] = value; };

function age(seconds) {
  if (seconds === null) return "–";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

function paint(shop) {
  const tile = tiles.get(String(shop.account));
  if (!tile) return;
  mark(tile, "money", shop.money);
  mark(tile, "supply", shop.supply);
  mark(tile, "link", shop.link);
  put(tile.querySelector(".glyph"), words.glyph[shop.money] ?? "");
  put(tile.querySelector(".word"), [words.money[shop.money], shop.supply === "prepaid" ? null : words.supply[shop.supply],
    shop.link === "fresh" ? null : words.link[shop.link]].filter(Boolean).join(" · "));
  put(tile.querySelector(".balance"), shop.balance);
  put(tile.querySelector(".power"), `${shop.power_kw} kW`);
  put(tile.querySelector(".age"), age(shop.age_s));
}

async function refresh() {
  const gone = document.getElementById("gone");
  try {
    const answer = await fetch("/api/live", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    const live = await answer.json();
    live.shops.forEach(paint);
    put(document.getElementById("clock"), live.local_time);
    for (const [name, value] of Object.entries(live.counts)) put(document.getElementById(`count-${name}`), String(value));
    for (const collector of live.collectors) {
      put(document.getElementById(`collector-${collector.code}`), collector.online ? words.online : `${words.lost_since} ${collector.since_local}`);
    }
    gone.hidden = true;
  } catch {
    gone.hidden = false;
  }
}

const dialog = document.getElementById("shop");
let open = null;

function row(cells) {
  const line = document.createElement("tr");
  cells.forEach(([text, name]) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    if (name) cell.className = name;
    line.append(cell);
  });
  return line;
}

async function show() {
  const account = open;
  if (account === null) return;
  const answer = await fetch(`/api/accounts/${account}`, { cache: "no-store" });
  if (!answer.ok || open !== account) return;
  const shop = await answer.json();
  // The answer may come when another shop is on the screen.
  if (open !== account) return;
  put(document.getElementById("shop-name"), `${shop.code} ${shop.name}`);
  for (const name of ["balance", "available", "power_kw", "energy_kwh", "meter", "tariff", "read_local"]) {
    put(document.getElementById(`shop-${name}`), shop[name] ?? "–");
  }
  put(document.getElementById("shop-purse"), words.purse[shop.purse]);
  put(document.getElementById("shop-state"), [words.money[shop.money], words.supply[shop.supply], words.link[shop.link]].join(" · "));
  document.getElementById("shop-sales").replaceChildren(...shop.sales.map((sale) =>
    row([[sale.requested_local], [sale.amount, "num"], [words.sale[sale.state] ?? sale.state], [sale.channel]])));
  document.getElementById("shop-events").replaceChildren(...shop.events.map((event) =>
    row([[event.local], [words.event[event.kind] ?? event.kind]])));
}

document.addEventListener("click", (click) => {
  const tile = click.target.closest(".tile");
  if (!tile) return;
  open = tile.dataset.account;
  say("", "");
  show().then(() => dialog.showModal()).catch(() => { open = null; });
});
dialog.addEventListener("close", () => { open = null; });

function say(kind, text) {
  const result = document.getElementById("result");
  result.dataset.kind = kind;
  result.textContent = text;
}

// One key an attempt: a double click or a retry after a lost answer can't sell twice.
let attempt = null;
document.getElementById("sell").addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const account = open;
  const amount = document.getElementById("amount").value.trim();
  const body = JSON.stringify({ account: Number(account), amount, channel: "cash" });
  if (attempt === null || attempt.body !== body) attempt = { body, key: crypto.randomUUID() };
  const button = document.getElementById("sell-button");
  button.disabled = true;
  say("busy", words.selling);
  const sale = await book(attempt);
  if (sale !== null) {
    // It is booked: from here on nothing may invite to press again.
    attempt = null;
    await follow(sale.id).catch(() => say("unknown", `${sale.amount}: ${words.booked} ${sale.id}`));
  }
  button.disabled = false;
  show().catch(() => {});
});

/** Books a sale and returns it, or says why not. While nobody knows whether it was booked, the attempt keeps its key. */
async function book({ body, key }) {
  try {
    const answer = await fetch("/api/sales", {
      method: "POST", body, headers: { "Content-Type": "application/json", "Idempotency-Key": key },
    });
    if (answer.status >= 500) throw new Error(answer.status);
    const sale = await answer.json();
    if (answer.ok) return sale;
    say("refused", `${words.refused}: ${sale.detail ?? sale.title}`);
    attempt = null;
  } catch {
    say("unknown", words.no_answer);
  }
  return null;
}

async function follow(id) {
  for (let tries = 0; tries < 60; tries += 1) {
    const answer = await fetch(`/api/sales/${id}`, { cache: "no-store" });
    const sale = await answer.json();
    if (!answer.ok) throw new Error(sale.title);
    say(sale.kind, `${sale.amount}: ${words.sale[sale.state] ?? sale.state}`);
    if (sale.closed) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

setInterval(refresh, 1000);
setInterval(() => show().catch(() => {}), 1000);
refresh();
