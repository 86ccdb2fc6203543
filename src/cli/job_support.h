// What the `dkron job` commands share.
#pragma once

#include <span>
#include <string>

#include "cli/api_command.h"

namespace dkron::cli {

std::string job_path(const std::string& name);
Result<std::string> single_name(const Flags& flags);  // The one positional argument.
// "running", "success", "lost" or "failed".
std::string execution_result(const json::object& execution);

// job_apply.cpp, job_run.cpp
Result<int> apply_jobs(const Flags& flags);
Result<int> run_job(const Flags& flags);
std::span<const Option> run_options();

}  // namespace dkron::cli
