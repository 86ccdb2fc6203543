// Views: reading jobs, executions, the ledger and statistics from the store.
//
// Every call may read the disk: worker threads and the raft thread only. Results are values. An
// Error is a disk failure or a damaged row; "no such job" is an empty optional.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/execution.h"
#include "model/job.h"
#include "store.pb.h"
#include "store/store.h"

namespace dkron::state {

Result<std::optional<model::Job>> find_job(const store::Reader& reader, const std::string& name);
Result<std::optional<model::Job>> find_job(const store::Reader& reader, std::uint64_t uid);

// Calls back for each job in the order of names, from the name `from` on, until it returns false.
Result<void> visit_jobs(const store::Reader& reader, const std::function<bool(model::Job)>& visit,
                        std::string_view from = {});

// The newest `limit` finished executions of the job and those under way, oldest first by group.
// Their outputs are left out; read_outputs() adds them to those that are shown.
Result<std::vector<model::Execution>> list_executions(const store::Reader& reader,
                                                      const model::Job& job, std::uint32_t limit);
Result<void> read_outputs(const store::Reader& reader, std::uint64_t uid,
                          std::vector<model::Execution>* executions);
Result<std::optional<model::Execution>> find_execution(const store::Reader& reader,
                                                       const model::Job& job,
                                                       const std::string& id);
// Runs under way whose start is known, of all jobs.
Result<std::vector<model::Execution>> list_running(const store::Reader& reader);

struct LedgerPage {
  std::vector<store::LedgerRow> rows;  // Newest first.
  std::uint64_t total = 0;
};
Result<LedgerPage> list_ledger(const store::Reader& reader, std::uint64_t uid, std::uint64_t start,
                               std::uint64_t count);
// The row that covers `instant`.
Result<std::optional<store::LedgerRow>> find_outcome(const store::Reader& reader, std::uint64_t uid,
                                                     Instant instant);

// Whether the ledger has rows that end before `instant`.
Result<bool> has_outcomes_before(const store::Reader& reader, std::uint64_t uid, Instant instant);

struct DayCount {
  std::string date;  // YYYY-MM-DD
  std::uint64_t success_count = 0;
  std::uint64_t failed_count = 0;
};
// The `days` days up to that of `today`, oldest first, absent ones with zeros.
Result<std::vector<DayCount>> list_statistics(const store::Reader& reader, Instant today, int days);

// What a new leader has to take up: runs (with their waiting retries) and children that wait.
struct OpenWork {
  std::vector<store::OpenGroup> groups;
  std::vector<store::FollowUp> follow_ups;
};
Result<OpenWork> list_open_work(const store::Reader& reader);

Result<store::ClusterState> read_cluster(const store::Reader& reader);

}  // namespace dkron::state
