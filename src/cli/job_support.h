// What the `dkron job` commands share: the server's address, its answers as JSON, printing.
//
// No state.
#pragma once

#include <array>
#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

#include "cli/api_client.h"
#include "cli/command.h"

namespace dkron::cli {

namespace json = boost::json;
using config::Flags;
using config::Option;
using config::Type;

inline constexpr Option kApiAddr{"api-addr", Type::String, "http://127.0.0.1:8080",
                                 "Address of a server's HTTP API (environment: DKRON_API_ADDR)"};
inline constexpr std::array kPlainOptions{kApiAddr};

ApiClient client_of(const Flags& flags);
std::string job_path(const std::string& name);
Result<std::string> single_name(const Flags& flags);  // The one positional argument.

Result<json::value> parse(const std::string& text);                      // An answer of the server.
std::string text_of(const json::object& object, std::string_view name);  // "" when absent.
std::string time_of(const json::object& object, std::string_view name);  // "-" when absent.
bool is_true(const json::object& object, std::string_view name);
// "running", "success", "lost" or "failed".
std::string execution_result(const json::object& execution);

void print(const std::string& text);
void print_line(std::string text);

// job_apply.cpp, job_run.cpp
Result<int> apply_jobs(const Flags& flags);
Result<int> run_job(const Flags& flags);
std::span<const Option> run_options();

}  // namespace dkron::cli
