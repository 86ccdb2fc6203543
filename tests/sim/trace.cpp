#include "trace.h"

#include <cstdio>

#include "state/commands.h"

namespace dkron::sim {
namespace {

struct Said {
  std::string name;
  std::uint64_t uid = 0;
  std::string text;
};

template <class Message>
Said about_name(const char* kind, const std::string& payload) {
  Message message;
  if (!message.ParseFromString(payload)) return {};
  return {message.name(), 0, std::string(kind) + " " + message.ShortDebugString()};
}

template <class Message>
Said about_uid(const char* kind, const std::string& payload) {
  Message message;
  if (!message.ParseFromString(payload)) return {};
  return {{}, message.uid(), std::string(kind) + " " + message.ShortDebugString()};
}

Said about_definition(const std::string& payload) {
  store::SetJobCommand message;
  if (!message.ParseFromString(payload)) return {};
  return {message.definition().name(), 0, "SetJob " + message.ShortDebugString()};
}

Said read(const raft::Command& c) {
  switch (static_cast<state::Kind>(c.kind)) {
    case state::Kind::SetJob: return about_definition(c.payload);
    case state::Kind::DeleteJob: return about_name<store::DeleteJobCommand>("DeleteJob", c.payload);
    case state::Kind::ToggleJob: return about_name<store::ToggleJobCommand>("ToggleJob", c.payload);
    case state::Kind::DeleteExecutions:
      return about_name<store::DeleteExecutionsCommand>("DeleteExecutions", c.payload);
    case state::Kind::ManualRun: return about_name<store::ManualRunCommand>("ManualRun", c.payload);
    case state::Kind::DependentRun:
      return about_name<store::DependentRunCommand>("DependentRun", c.payload);
    case state::Kind::SetNext: return about_uid<store::SetNextCommand>("SetNext", c.payload);
    case state::Kind::Launch: return about_uid<store::LaunchCommand>("Launch", c.payload);
    case state::Kind::Miss: return about_uid<store::MissCommand>("Miss", c.payload);
    case state::Kind::Retry: return about_uid<store::RetryCommand>("Retry", c.payload);
    case state::Kind::Started: return about_uid<store::StartedCommand>("Started", c.payload);
    case state::Kind::Done: return about_uid<store::DoneCommand>("Done", c.payload);
    case state::Kind::TrimLedger:
      return about_uid<store::TrimLedgerCommand>("TrimLedger", c.payload);
    case state::Kind::InitCluster:
    case state::Kind::SetPause: break;
  }
  return {};
}

}  // namespace

void trace_job(const Entry& entry, std::uint64_t index, Duration now, const std::string& name,
               std::uint64_t uid) {
  for (std::size_t i = 0; i < entry.commands.size(); ++i) {
    const Said said = read(entry.commands[i]);
    if (said.name != name && (uid == 0 || said.uid != uid)) continue;
    const raft::Outcome& outcome = entry.outcomes[i];
    const std::string answer = outcome.code == ErrorCode::Ok
                                   ? "ok"
                                   : std::string(to_string(outcome.code)) + ": " + outcome.message;
    std::fprintf(stderr, "%s entry %llu: %s -> %s\n", format_duration(now).c_str(),
                 static_cast<unsigned long long>(index), said.text.c_str(), answer.c_str());
  }
}

}  // namespace dkron::sim
