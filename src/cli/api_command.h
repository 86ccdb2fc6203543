// What the commands that talk to the REST API share: options, the client, answers as JSON,
// printing.
//
// No state.
#pragma once

#include <array>
#include <boost/json/fwd.hpp>
#include <span>
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
inline constexpr Option kFormat{"format", Type::String, "table", "table or json"};
inline constexpr std::array kPlainOptions{kApiAddr};

ApiClient client_of(const Flags& flags);  // The flag, else the environment, else the default.
// From --format; `options` are the command's.
Result<bool> wants_json(const Flags& flags, std::span<const Option> options);

Result<json::value> parse(const std::string& text);                      // An answer of the server.
std::string text_of(const json::object& object, std::string_view name);  // "" when absent.
std::string time_of(const json::object& object, std::string_view name);  // "-" when absent.
bool is_true(const json::object& object, std::string_view name);

void print(const std::string& text);
void print_line(std::string text);  // Ends with one line break.

}  // namespace dkron::cli
