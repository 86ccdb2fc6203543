// One log, many machines: the same commands give the same rows, whatever restarts between them; and
// the counters in a job's state row agree with the rows that they count.
#include <map>

#include "state/test_support.h"

namespace dkron::state {
namespace {

namespace keys = store::keys;
using testing_support::at;
using testing_support::Bench;
using testing_support::job_named;
using testing_support::kStart;

// Draws commands that fit together often enough to reach every branch.
class CommandSource {
 public:
  explicit CommandSource(std::uint64_t seed) : random_(seed) {}

  raft::Command next(const Bench& bench) {
    ++clock_;
    const std::uint64_t request = random_.below(4) == 0 ? 1 + random_.below(50) : 0;
    switch (random_.below(15)) {
      case 0: return make_command(Kind::InitCluster, init(), request);
      case 1:
      case 2: return make_command(Kind::SetJob, set_job(), request);
      case 3:
        return random_.below(4) == 0
                   ? make_command(Kind::DeleteJob, named<store::DeleteJobCommand>(), request)
                   : make_command(Kind::SetNext, set_next(bench), request);
      case 4: return make_command(Kind::ToggleJob, toggle(), request);
      case 5:
        return make_command(Kind::DeleteExecutions, named<store::DeleteExecutionsCommand>(),
                            request);
      case 6: return make_command(Kind::SetPause, pause(), request);
      case 7: return make_command(Kind::Launch, launch(bench), request);
      case 8: return make_command(Kind::Miss, miss(bench), request);
      case 9: return make_command(Kind::ManualRun, manual(), request);
      case 10: return make_command(Kind::DependentRun, dependent(), request);
      case 11: return make_command(Kind::Retry, attempt<store::RetryCommand>(), request);
      case 12: return make_command(Kind::Started, started(), request);
      case 13: return make_command(Kind::TrimLedger, trim(), request);
      default: return make_command(Kind::Done, done(), request);
    }
  }

 private:
  std::string name() { return std::string(1, static_cast<char>('a' + random_.below(5))); }
  std::string node() { return "n" + std::to_string(random_.below(3)); }
  std::int64_t group() { return clock_ - static_cast<std::int64_t>(random_.below(30)); }
  store::Time time(std::int64_t second) {
    store::Time time;
    model::set_time(&time, at(kStart + second));
    return time;
  }
  template <class Message>
  void fill_targets(Message* message) {
    for (std::uint64_t i = random_.below(4); i > 0; --i) message->add_targets(node());
  }

  store::InitClusterCommand init() {
    store::InitClusterCommand command;
    command.set_cluster_id(random_.next());
    return command;
  }
  store::SetJobCommand set_job() {
    store::SetJobCommand command;
    auto* d = command.mutable_definition();
    *d = job_named(name(), random_.below(3) == 0 ? name() : "");
    if (random_.below(2) == 0) d->set_concurrency("forbid");
    d->set_retries(static_cast<std::uint32_t>(random_.below(3)));
    d->set_ephemeral(random_.below(6) == 0);
    d->set_disabled(random_.below(8) == 0);
    d->set_keep_executions(static_cast<std::uint32_t>(random_.below(6)));
    if (random_.below(4) == 0) *d->mutable_expires_at() = time(clock_ + 20);
    for (std::uint64_t i = random_.below(4); i > 0; --i)
      (*d->mutable_tags()->mutable_entries())[name()] = node();
    if (random_.below(8) == 0) {
      command.set_is_restore(true);
      command.mutable_restored()->set_error_count(static_cast<std::int32_t>(random_.below(9)));
    }
    *command.mutable_next() = time(clock_ + 1);
    return command;
  }
  template <class Message>
  Message named() {
    Message message;
    message.set_name(name());
    return message;
  }
  store::ToggleJobCommand toggle() {
    auto command = named<store::ToggleJobCommand>();
    command.set_wish(static_cast<store::ToggleJobCommand::Wish>(random_.below(3)));
    return command;
  }
  store::SetPauseCommand pause() {
    store::SetPauseCommand command;
    command.set_paused(random_.below(6) == 0);
    return command;
  }
  store::TrimLedgerCommand trim() {
    store::TrimLedgerCommand command;
    command.set_uid(1 + random_.below(8));
    *command.mutable_now() =
        time(clock_ + 30 * 24 * 3600 - static_cast<std::int64_t>(random_.below(30)));
    return command;
  }
  store::SetNextCommand set_next(const Bench& bench) {
    const auto definition = bench.definition(name());
    store::SetNextCommand command;
    command.set_uid(definition.uid());
    command.set_schedule_revision(definition.schedule_revision());
    if (random_.below(2) == 0) *command.mutable_next() = time(clock_);
    return command;
  }
  // Mostly the instant that the state machine accepts.
  store::Time next_or_any(const Bench& bench, const std::string& job) {
    const auto state = bench.state(job);
    return state.has_next() && random_.below(4) != 0 ? state.next() : time(group());
  }
  store::LaunchCommand launch(const Bench& bench) {
    const auto definition = bench.definition(name());
    store::LaunchCommand command;
    command.set_uid(definition.uid());
    command.set_schedule_revision(definition.schedule_revision());
    *command.mutable_instant() = next_or_any(bench, definition.name());
    *command.mutable_next() = time(clock_ + 1);
    *command.mutable_now() = time(clock_);
    command.set_group(group());
    command.set_late(random_.below(2) == 0);
    fill_targets(&command);
    return command;
  }
  store::MissCommand miss(const Bench& bench) {
    const auto definition = bench.definition(name());
    store::MissCommand command;
    command.set_uid(definition.uid());
    command.set_schedule_revision(definition.schedule_revision());
    *command.mutable_first() = next_or_any(bench, definition.name());
    *command.mutable_last() = random_.below(2) == 0 ? command.first() : time(group());
    *command.mutable_now() = time(clock_);
    command.set_count(static_cast<std::uint32_t>(random_.below(6'000)));
    command.set_reason(static_cast<store::LedgerRow::Reason>(random_.below(10)));
    return command;
  }
  store::ManualRunCommand manual() {
    auto command = named<store::ManualRunCommand>();
    command.set_group(group());
    command.set_respect_concurrency(random_.below(2) == 0);
    fill_targets(&command);
    return command;
  }
  store::DependentRunCommand dependent() {
    auto command = named<store::DependentRunCommand>();
    command.set_parent_uid(1 + random_.below(10));
    command.set_parent_group(group());
    command.set_group(group());
    fill_targets(&command);
    return command;
  }
  template <class Message>
  Message attempt() {
    Message message;
    message.set_uid(1 + random_.below(10));
    message.set_group(group());
    message.set_node(node());
    message.set_attempt(static_cast<std::uint32_t>(1 + random_.below(3)));
    return message;
  }
  store::StartedCommand started() {
    auto command = attempt<store::StartedCommand>();
    *command.mutable_started_at() = time(clock_);
    return command;
  }
  store::DoneCommand done() {
    auto command = attempt<store::DoneCommand>();
    command.set_success(random_.below(2) == 0);
    command.set_lost(!command.success() && random_.below(3) == 0);
    command.set_output(std::string(random_.below(20), 'x'));
    *command.mutable_finished_at() = time(clock_);
    *command.mutable_now() = time(clock_);
    return command;
  }

  SeededRandom random_;
  std::int64_t clock_ = 100;
};

void check_counters(const Bench& bench) {
  std::map<std::uint64_t, std::pair<std::uint32_t, std::uint32_t>> groups;  // Open ones, slots.
  for (auto it = bench.store.rows().lower_bound("g/");
       it != bench.store.rows().end() && it->first < "g0"; ++it) {
    store::OpenGroup group;
    ASSERT_TRUE(group.ParseFromString(it->second));
    ++groups[group.uid()].first;
    if (group.holds_slot()) ++groups[group.uid()].second;
  }
  for (auto it = bench.store.rows().lower_bound("s/");
       it != bench.store.rows().end() && it->first < "s0"; ++it) {
    store::JobState state;
    ASSERT_TRUE(state.ParseFromString(it->second));
    const auto [open, slots] = groups[state.uid()];
    ASSERT_EQ(state.open_groups(), open) << state.name();
    ASSERT_EQ(state.held_slots(), slots) << state.name();
    ASSERT_EQ(state.execution_count(), bench.count(keys::executions_of(state.uid())))
        << state.name();
    ASSERT_EQ(state.ledger_rows(), bench.count(keys::ledger_of(state.uid()))) << state.name();
    groups.erase(state.uid());
  }
  ASSERT_TRUE(groups.empty() || groups.begin()->second.first == 0) << "a run of a job that is gone";
}

TEST(Determinism, two_machines_and_one_that_restarts_write_the_same_rows) {
  const std::uint64_t seed = testing_support::test_seed();
  for (std::uint64_t round = 0; round < 30; ++round) {
    CommandSource source(seed + round);
    SeededRandom chance(seed + round);
    Bench first, second, restarted;
    for (int entry = 0; entry < 150; ++entry) {
      std::vector<raft::Command> commands;
      for (std::uint64_t i = 1 + chance.below(4); i > 0; --i)
        commands.push_back(source.next(first));
      auto outcomes = first.try_apply(commands);
      auto others = second.try_apply(commands);
      ASSERT_TRUE(outcomes) << outcomes.error().message;
      ASSERT_TRUE(others);
      if (chance.below(5) == 0) restarted.restart();
      ASSERT_TRUE(restarted.try_apply(commands));
      for (std::size_t i = 0; i < commands.size(); ++i) {
        ASSERT_EQ(outcomes->at(i).code, others->at(i).code);
        ASSERT_EQ(outcomes->at(i).payload, others->at(i).payload);
      }
      ASSERT_NO_FATAL_FAILURE(check_counters(first))
          << "entry " << entry << " of SEED=" << seed + round;
    }
    ASSERT_EQ(first.store.rows(), second.store.rows());
    ASSERT_EQ(first.store.rows(), restarted.store.rows());
  }
}

TEST(Determinism, what_a_kill_leaves_and_the_log_behind_it_give_the_same_rows) {
  const std::uint64_t seed = testing_support::test_seed();
  CommandSource source(seed);
  SeededRandom chance(seed);
  Bench whole, killed;
  std::vector<std::vector<raft::Command>> log;
  for (int entry = 0; entry < 400; ++entry) {
    log.push_back({source.next(whole)});
    ASSERT_TRUE(whole.try_apply(log.back()));
    ASSERT_TRUE(killed.try_apply(log.back()));
    if (chance.below(10) == 0) killed.store.flush();
    if (chance.below(20) != 0) continue;
    killed.store.crash();
    killed.restart();
    while (killed.machine->applied_index() < log.size()) {
      ASSERT_TRUE(killed.try_apply(log[killed.machine->applied_index()]));
    }
    ASSERT_EQ(whole.store.rows(), killed.store.rows());
  }
  ASSERT_EQ(whole.store.rows(), killed.store.rows());
}

}  // namespace
}  // namespace dkron::state
