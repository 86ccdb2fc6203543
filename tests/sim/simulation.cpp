#include "simulation.h"

#include <algorithm>

#include "report.h"

namespace dkron::sim {

Summary& Summary::operator+=(const Summary& o) {
  simulated += o.simulated;
  entries += o.entries;
  launches += o.launches;
  skips += o.skips;
  misses += o.misses;
  refusals += o.refusals;
  runs += o.runs;
  lost += o.lost;
  most_waiting = std::max(most_waiting, o.most_waiting);
  crashes += o.crashes;
  elections += o.elections;
  clock_steps += o.clock_steps;
  requests += o.requests;
  return *this;
}

std::string describe(const Summary& s) {
  std::string text;
  const auto add = [&](std::uint64_t number, const char* noun) {
    text += (text.empty() ? "" : ", ") + std::to_string(number) + " " + noun;
  };
  add(s.entries, "entries");
  add(s.launches, "launches");
  add(s.skips, "skips");
  add(s.misses, "misses");
  add(s.refusals, "refused");
  add(s.runs, "runs");
  add(s.lost, "lost");
  add(s.most_waiting, "waiting at most");
  add(s.requests, "requests");
  add(s.crashes, "crashes");
  add(s.elections, "elections");
  add(s.clock_steps, "clock steps");
  return text;
}

Simulation::Simulation(std::uint64_t seed, Duration troubled)
    : random_(seed),
      troubled_(troubled),
      scenario_(draw()),
      witness_(time_, log_),
      node_clock_(time_),
      // A former leader's launches may come on top of a new one's.
      fleet_(
          time_, random_, node_clock_, scenario_.nodes,
          scenario_.spare * scenario_.nodes * (scenario_.crashes || scenario_.elections ? 2 : 1)),
      client_(random_, node_clock_, scenario_.jobs) {
  log_.on_append = [this](std::uint64_t index) { on_append(index); };
  fleet_.find_headquarters = [this]() -> Headquarters* {
    SimServer* server = leader_ ? seats_[*leader_]->server.get() : nullptr;
    return server != nullptr && server->takes_results() ? server : nullptr;
  };
  for (std::size_t i = 0; i < scenario_.servers; ++i) {
    seats_.push_back(std::make_unique<Seat>("server" + std::to_string(i + 1), time_));
    if (scenario_.small_clock_steps)
      seats_[i]->clock.step(any_duration(random_, Duration(0), seconds(2)));
  }
}

Simulation::~Simulation() {
  for (auto& seat : seats_) seat->server.reset();
}

Simulation::Scenario Simulation::draw() {
  const auto maybe = [this] { return random_.below(2) == 0; };
  Scenario s;
  s.servers = maybe() ? 3 : 1;
  s.nodes = 1 + random_.below(3);
  s.jobs = 2 + random_.below(20);
  s.spare = maybe() ? 4'000 : 5 + random_.below(40);
  s.crashes = maybe();
  s.elections = maybe();
  s.small_clock_steps = maybe();
  s.large_clock_steps = random_.below(4) == 0;
  s.slow_nodes = maybe();
  s.node_crashes = maybe();
  s.failing_proposals = maybe();
  s.busy_workers = maybe();
  s.stalls = maybe();
  s.edits = maybe() || maybe();
  return s;
}

// ---- Servers

void Simulation::start_server(std::size_t i) {
  Seat& seat = *seats_[i];
  if (seat.server != nullptr) return;
  SimServer::Environment environment{
      time_,
      random_,
      seat.clock,
      faults_,
      log_,
      fleet_,
      seat.store,
      seat.name,
      ++lives_,
      scenario_.spare,
      [this](const state::AttemptOpened& attempt) { witness_.on_dispatch(attempt); }};
  seat.server = std::make_unique<SimServer>(std::move(environment));
}

void Simulation::crash_server(std::size_t i) {
  Seat& seat = *seats_[i];
  if (seat.server == nullptr) return;
  ++summary_.crashes;
  if (leader_ == i) {
    seat.server->raft().surrender();
    leader_.reset();
    log_.leader_name.clear();
  }
  seat.server.reset();
  seat.store.crash();
}

// A new term; the leader may be the one of the last. Without a living server nothing happens.
void Simulation::elect() {
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    if (seats_[i]->server != nullptr) candidates.push_back(i);
  }
  // A majority must live.
  if (candidates.size() * 2 <= seats_.size()) return;
  depose();
  ++summary_.elections;
  const std::size_t winner = candidates[random_.below(candidates.size())];
  ++log_.term;
  log_.leader_name = seats_[winner]->name;
  leader_ = winner;
  SimRaft& raft = seats_[winner]->server->raft();
  if (raft.is_leader()) raft.learn_of_loss();
  raft.win();
}

void Simulation::depose() {
  if (!leader_) return;
  Seat& seat = *seats_[*leader_];
  leader_.reset();
  seat.server->raft().surrender();
  ++log_.term;
  log_.leader_name.clear();
  const Duration ignorance =
      any_duration(random_, Duration(0), random_.below(2) == 0 ? milliseconds(20) : seconds(2));
  time_.after(ignorance, [this, &seat, life = seat.server->life()] {
    const bool is_same = seat.server != nullptr && seat.server->life() == life;
    if (is_same && seat.server->raft().is_leader() && !seat.server->raft().is_real_leader()) {
      seat.server->raft().learn_of_loss();
    }
  });
}

SimServer* Simulation::find_office() {
  if (!leader_) return nullptr;
  SimServer* server = seats_[*leader_]->server.get();
  return server != nullptr && server->holds_office() ? server : nullptr;
}

void Simulation::on_append(std::uint64_t index) {
  witness_.on_append(index);
  for (auto& seat : seats_) {
    if (seat->server == nullptr) continue;
    seat->server->loop().run_elsewhere(any_duration(random_, milliseconds(1), milliseconds(80)),
                                       [raft = &seat->server->raft()] { raft->catch_up(); });
  }
}

// ---- Clients and troubles

void Simulation::be_client() {
  if (!is_troubled_) return;
  SimServer* office = find_office();
  // Now and then somebody asks a server that does not lead.
  if (office == nullptr || random_.below(20) == 0)
    office = seats_[random_.below(seats_.size())]->server.get();
  if (office != nullptr) client_.act(office->control());
  const Duration pause = scenario_.edits ? any_duration(random_, milliseconds(1), seconds(4))
                                         : any_duration(random_, milliseconds(500), seconds(60));
  time_.after(pause, [this] { be_client(); });
}

void Simulation::make_trouble() {
  if (!is_troubled_) return;
  const std::size_t seat = random_.below(seats_.size());
  const std::size_t node = random_.below(fleet_.size());
  if (!leader_) elect();
  if (scenario_.crashes && random_.below(4) == 0) {
    crash_server(seat);
    const Duration down =
        any_duration(random_, milliseconds(100), random_.below(2) == 0 ? seconds(5) : minutes(4));
    time_.after(down, [this, seat] {
      start_server(seat);
      if (!leader_) elect();
    });
    time_.after(any_duration(random_, milliseconds(600), seconds(2)), [this] {
      if (!leader_) elect();
    });
  }
  if (scenario_.elections && random_.below(3) == 0) {
    if (random_.below(2) == 0) {
      elect();
    } else {
      depose();
      time_.after(any_duration(random_, milliseconds(1), seconds(2)), [this] {
        if (!leader_) elect();
      });
    }
  }
  if (scenario_.small_clock_steps && random_.below(8) == 0) {
    seats_[seat]->clock.step(any_duration(random_, Duration(0), seconds(180)) - seconds(90));
    ++summary_.clock_steps;
  }
  if (scenario_.large_clock_steps && random_.below(40) == 0) {
    step_clocks(any_duration(random_, Duration(0), hours(24 * 6)) - hours(24 * 3));
  }
  if (scenario_.slow_nodes) {
    fleet_.set_pace(node, random_.below(3) == 0
                              ? any_duration(random_, milliseconds(100), seconds(4))
                              : microseconds(200));
  }
  if (scenario_.node_crashes && random_.below(6) == 0 && fleet_.is_up(node)) {
    fleet_.crash(node);
    time_.after(any_duration(random_, milliseconds(50), seconds(40)), [this, node] {
      if (!fleet_.is_up(node)) fleet_.start(node);
    });
  }
  if (scenario_.failing_proposals) {
    faults_.unavailable_permille = random_.below(3) == 0 ? random_.below(500) : 0;
    faults_.overloaded_permille = random_.below(3) == 0 ? random_.below(500) : 0;
    faults_.commit_latency = random_.below(5) == 0 ? milliseconds(200) : milliseconds(3);
  }
  if (scenario_.busy_workers) {
    faults_.busy_permille = random_.below(3) == 0 ? random_.below(900) : 0;
    faults_.work_latency = random_.below(2) == 0 ? seconds(3) : milliseconds(2);
  }
  if (scenario_.stalls && random_.below(6) == 0 && seats_[seat]->server != nullptr) {
    seats_[seat]->server->loop().stall(any_duration(random_, milliseconds(10), seconds(20)));
  }
  if (seats_[seat]->server != nullptr && random_.below(4) == 0) {
    if (auto flushed = seats_[seat]->store.flush(); !flushed) fail_simulation("flush failed");
  }
  time_.after(any_duration(random_, milliseconds(100), seconds(10)), [this] { make_trouble(); });
}

void Simulation::step_clocks(Duration by) {
  ++summary_.clock_steps;
  for (auto& seat : seats_) seat->clock.step(by);
  node_clock_.step(by);
}

// ---- The history

Summary Simulation::run() {
  for (std::size_t i = 0; i < seats_.size(); ++i) start_server(i);
  elect();
  time_.run_until(seconds(1));
  for (std::size_t i = 0; i < scenario_.jobs; ++i) {
    if (SimServer* office = find_office()) client_.set_job(office->control(), i);
  }
  be_client();
  make_trouble();
  time_.run_until(troubled_);
  // Nobody takes office later, so what this taking of it overlooks stays overlooked.
  if (scenario_.elections) elect();
  time_.run_until(time_.now() + seconds(5));
  end_troubles();
  time_.run_until(time_.now() + minutes(3));
  SimServer* office = find_office();
  if (office == nullptr) fail_simulation("nobody leads although all is well");
  witness_.check_nothing_overdue(seats_[*leader_]->clock.wall(), seconds(5));
  disable_jobs();
  time_.run_until(time_.now() + minutes(4));
  check_end();
  summary_.simulated = time_.now();
  summary_.entries = log_.size();
  summary_.launches = witness_.launches();
  summary_.skips = witness_.skips();
  summary_.misses = witness_.misses();
  summary_.refusals = witness_.refusals();
  summary_.runs = fleet_.started();
  summary_.lost = fleet_.lost();
  summary_.most_waiting = fleet_.most_waiting();
  summary_.requests = client_.requests();
  return summary_;
}

void Simulation::end_troubles() {
  is_troubled_ = false;
  faults_ = Faults{};
  fleet_.start_all();
  for (std::size_t i = 0; i < fleet_.size(); ++i) fleet_.set_pace(i, microseconds(200));
  for (std::size_t i = 0; i < seats_.size(); ++i) start_server(i);
  if (!leader_) elect();
}

void Simulation::disable_jobs() {
  for (const std::string& name : witness_.job_names()) {
    find_office()->control().toggle_job(
        name, state::ToggleWish::Disable, [name](const Result<model::Job>& answer) {
          // An ephemeral job may have ended meanwhile.
          if (!answer && answer.error().code != ErrorCode::NotFound) {
            fail_simulation("a write fails although all is well: " + answer.error().message);
          }
        });
  }
}

void Simulation::check_end() {
  witness_.check_nothing_open();
  witness_.check_ledgers();
  client_.check_answers(witness_);
  if (!fleet_.is_idle()) fail_simulation("a node still has a run or a result that nobody takes");
  for (const auto& seat : seats_) {
    seat->server->raft().catch_up();
    witness_.check_replica(seat->name, seat->store);
    check_index(*seat->server, seat->store);
  }
  witness_.check_replay();
}

namespace {

std::vector<state::JobSummary> all_of(const state::JobIndex& index) {
  std::vector<state::JobSummary> summaries;
  index.visit([&](const state::JobSummary& summary) { summaries.push_back(summary); });
  return summaries;
}

}  // namespace

// The index in memory says what the store says.
void Simulation::check_index(const SimServer& server, const store::MemoryStore& store) const {
  state::JobIndex fresh;
  if (auto loaded = state::load_index(store.reader(), &fresh); !loaded)
    fail_simulation("the index cannot be loaded");
  // One after the other: an index is locked while it is visited.
  for (const state::JobSummary& known : all_of(server.index())) {
    state::JobSummary stored;
    if (!fresh.find(known.uid, &stored))
      fail_simulation(server.name() + " still knows the deleted job " + known.name);
  }
  for (const state::JobSummary& stored : all_of(fresh)) {
    state::JobSummary known;
    if (!server.index().find(stored.uid, &known) || !(known == stored)) {
      fail_simulation(server.name() + " has a stale summary of job " + stored.name);
    }
  }
}

}  // namespace dkron::sim
