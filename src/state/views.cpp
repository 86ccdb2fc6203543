#include "state/views.h"

#include <algorithm>
#include <map>

#include "model/rows.h"
#include "store/keys.h"

namespace dkron::state {

namespace keys = store::keys;
using model::get_time;

namespace {

template <class Message>
Result<Message> parse(std::string_view bytes) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(ErrorCode::Corrupt, "store: unreadable row");
  }
  return message;
}

template <class Message>
Result<std::optional<Message>> find(const store::Reader& reader, const std::string& key) {
  auto bytes = reader.get(key);
  if (!bytes) return fail(bytes.error());
  if (!*bytes) return std::nullopt;
  auto message = parse<Message>(**bytes);
  if (!message) return fail(message.error());
  return std::optional<Message>(std::move(*message));
}

// Scans a prefix and parses each row; a damaged row ends the scan with an Error.
template <class Message, class Visit>
Result<void> scan_rows(const store::Reader& reader, const std::string& from, const std::string& to,
                       Visit visit) {
  Error damaged;
  bool ok = true;
  auto scanned = reader.scan(from, to, [&](std::string_view key, std::string_view value) {
    auto message = parse<Message>(value);
    if (!message) {
      ok = false;
      damaged = message.error();
      return false;
    }
    return visit(key, std::move(*message));
  });
  if (!scanned) return scanned;
  if (!ok) return fail(damaged);
  return {};
}

template <class Message, class Visit>
Result<void> scan_prefix(const store::Reader& reader, const std::string& prefix, Visit visit) {
  return scan_rows<Message>(reader, prefix, keys::end_of(prefix), std::move(visit));
}

Result<std::optional<model::Job>> join(const store::Reader& reader,
                                       Result<std::optional<store::JobDefinition>> definition) {
  if (!definition) return fail(definition.error());
  if (!*definition) return std::nullopt;
  auto state = find<store::JobState>(reader, keys::state((*definition)->uid()));
  if (!state) return fail(state.error());
  // Definition and state are written together; a gap between two reads means that it was deleted.
  if (!*state) return std::nullopt;
  return model::to_job(**definition, **state);
}

void append_running(const store::OpenGroup& group, const std::string& job_name,
                    std::vector<model::Execution>* out) {
  for (const store::Target& target : group.targets()) {
    if (target.phase() != store::Target::OPEN || !target.has_started_at()) continue;
    model::Execution e;
    e.job_name = job_name;
    e.started_at = get_time(target.started_at());
    e.node_name = target.node();
    e.group = group.group();
    e.attempt = target.attempt();
    e.scheduled_at = get_time(group.scheduled_at());
    out->push_back(std::move(e));
  }
}

}  // namespace

Result<std::optional<model::Job>> find_job(const store::Reader& reader, const std::string& name) {
  return join(reader, find<store::JobDefinition>(reader, keys::definition(name)));
}

Result<std::optional<model::Job>> find_job(const store::Reader& reader, std::uint64_t uid) {
  auto name = reader.get(keys::name_of(uid));
  if (!name) return fail(name.error());
  if (!*name) return std::nullopt;
  return find_job(reader, **name);
}

Result<void> visit_jobs(const store::Reader& reader, const std::function<bool(model::Job)>& visit,
                        std::string_view from) {
  Error failure;
  bool ok = true;
  auto scanned = scan_rows<store::JobDefinition>(
      reader, keys::definition(from), keys::end_of("j/"),
      [&](std::string_view, store::JobDefinition definition) {
        auto job = join(reader, std::optional(std::move(definition)));
        if (!job) {
          ok = false;
          failure = job.error();
          return false;
        }
        return !*job || visit(std::move(**job));
      });
  if (!scanned) return scanned;
  if (!ok) return fail(failure);
  return {};
}

Result<std::vector<model::Execution>> list_executions(const store::Reader& reader,
                                                      const model::Job& job, std::uint32_t limit) {
  std::vector<model::Execution> executions;
  auto scanned = scan_prefix<store::Execution>(reader, keys::executions_of(job.uid),
                                               [&](std::string_view, const store::Execution& row) {
                                                 executions.push_back(model::to_execution(row, {}));
                                                 return true;
                                               });
  if (!scanned) return fail(scanned.error());
  // Rows beyond the limit wait to be trimmed; nobody sees them.
  if (executions.size() > limit) {
    executions.erase(executions.begin(), executions.end() - static_cast<std::ptrdiff_t>(limit));
  }
  scanned = scan_prefix<store::OpenGroup>(reader, keys::groups_of(job.uid),
                                          [&](std::string_view, const store::OpenGroup& group) {
                                            append_running(group, job.name, &executions);
                                            return true;
                                          });
  if (!scanned) return fail(scanned.error());
  return executions;
}

Result<void> read_outputs(const store::Reader& reader, std::uint64_t uid,
                          std::vector<model::Execution>* executions) {
  for (model::Execution& e : *executions) {
    auto output = reader.get(keys::output(uid, e.group, e.node_name, e.attempt));
    if (!output) return fail(output.error());
    if (*output) e.output = std::move(**output);
  }
  return {};
}

Result<std::optional<model::Execution>> find_execution(const store::Reader& reader,
                                                       const model::Job& job,
                                                       const std::string& id) {
  auto executions = list_executions(reader, job, UINT32_MAX);
  if (!executions) return fail(executions.error());
  for (model::Execution& e : *executions) {
    if (e.id() != id) continue;
    std::vector<model::Execution> one{std::move(e)};
    if (auto read = read_outputs(reader, job.uid, &one); !read) return fail(read.error());
    return std::optional(std::move(one.front()));
  }
  return std::nullopt;
}

Result<std::vector<model::Execution>> list_running(const store::Reader& reader) {
  std::vector<model::Execution> running;
  Error failure;
  bool ok = true;
  auto scanned = scan_prefix<store::OpenGroup>(
      reader, "g/", [&](std::string_view, const store::OpenGroup& group) {
        auto name = reader.get(keys::name_of(group.uid()));
        if (!name) {
          ok = false;
          failure = name.error();
          return false;
        }
        if (*name) append_running(group, **name, &running);
        return true;
      });
  if (!scanned) return fail(scanned.error());
  if (!ok) return fail(failure);
  std::sort(running.begin(), running.end(),
            [](const auto& a, const auto& b) { return a.started_at < b.started_at; });
  return running;
}

Result<LedgerPage> list_ledger(const store::Reader& reader, std::uint64_t uid, std::uint64_t start,
                               std::uint64_t count) {
  LedgerPage page;
  auto scanned = scan_prefix<store::LedgerRow>(
      reader, keys::ledger_of(uid), [&](std::string_view, store::LedgerRow row) {
        if (page.total >= start && page.total - start < count) page.rows.push_back(std::move(row));
        ++page.total;
        return true;
      });
  if (!scanned) return fail(scanned.error());
  return page;
}

Result<std::optional<store::LedgerRow>> find_outcome(const store::Reader& reader, std::uint64_t uid,
                                                     Instant instant) {
  // Keys run from new to old by the newest instant of a row, so the row that covers `instant` is
  // the last one whose newest instant is not older.
  std::optional<store::LedgerRow> covering;
  const std::string from = keys::ledger_of(uid);
  std::string to = keys::ledger(uid, instant);
  to += '\0';
  auto scanned =
      scan_rows<store::LedgerRow>(reader, from, to, [&](std::string_view, store::LedgerRow row) {
        covering = std::move(row);
        return true;
      });
  if (!scanned) return fail(scanned.error());
  if (covering && get_time(covering->first()) > instant) covering.reset();
  return covering;
}

Result<bool> has_outcomes_before(const store::Reader& reader, std::uint64_t uid, Instant instant) {
  bool found = false;
  // Keys run from new to old.
  const std::string from = keys::ledger(uid, instant) + '\0';
  auto scanned = reader.scan(from, keys::end_of(keys::ledger_of(uid)),
                             [&found](std::string_view, std::string_view) {
                               found = true;
                               return false;
                             });
  if (!scanned) return fail(scanned.error());
  return found;
}

Result<std::vector<DayCount>> list_statistics(const store::Reader& reader, Instant today,
                                              int days) {
  std::map<std::string, store::DailyStatistics> rows;
  auto scanned = scan_prefix<store::DailyStatistics>(
      reader, "d/", [&](std::string_view key, store::DailyStatistics row) {
        rows.emplace(std::string(key.substr(2)), std::move(row));
        return true;
      });
  if (!scanned) return fail(scanned.error());
  std::vector<DayCount> counts;
  for (int back = days - 1; back >= 0; --back) {
    DayCount count;
    count.date = keys::statistics(today - hours(24 * back)).substr(2);
    if (const auto row = rows.find(count.date); row != rows.end()) {
      count.success_count = row->second.success_count();
      count.failed_count = row->second.failed_count();
    }
    counts.push_back(std::move(count));
  }
  return counts;
}

Result<OpenWork> list_open_work(const store::Reader& reader) {
  OpenWork work;
  auto scanned =
      scan_prefix<store::OpenGroup>(reader, "g/", [&](std::string_view, store::OpenGroup group) {
        work.groups.push_back(std::move(group));
        return true;
      });
  if (!scanned) return fail(scanned.error());
  scanned =
      scan_prefix<store::FollowUp>(reader, "f/", [&](std::string_view, store::FollowUp follow_up) {
        work.follow_ups.push_back(std::move(follow_up));
        return true;
      });
  if (!scanned) return fail(scanned.error());
  return work;
}

Result<store::ClusterState> read_cluster(const store::Reader& reader) {
  auto row = find<store::ClusterState>(reader, std::string(keys::kCluster));
  if (!row) return fail(row.error());
  return row->value_or(store::ClusterState());
}

}  // namespace dkron::state
