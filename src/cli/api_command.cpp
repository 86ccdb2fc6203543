#include "cli/api_command.h"

#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>

namespace dkron::cli {
namespace {

constexpr char kZeroTime[] = "0001-01-01T00:00:00Z";

}  // namespace

ApiClient client_of(const Flags& flags) {
  const char* variable = std::getenv("DKRON_API_ADDR");
  const bool from_variable = !flags.has("api-addr") && variable != nullptr && *variable != '\0';
  return ApiClient(from_variable ? variable : flags.get("api-addr", kPlainOptions));
}

Result<bool> wants_json(const Flags& flags, std::span<const Option> options) {
  const std::string format = flags.get("format", options);
  if (format != "table" && format != "json") return usage_error("--format must be table or json");
  return format == "json";
}

Result<json::value> parse(const std::string& text) {
  json::error_code error;
  auto value = json::parse(text, error);
  if (error) return fail(ErrorCode::Corrupt, "the server's answer is not JSON: " + error.message());
  return value;
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return "";
  return value->is_string() ? std::string(value->as_string()) : json::serialize(*value);
}

std::string time_of(const json::object& object, std::string_view name) {
  const std::string text = text_of(object, name);
  return text.empty() || text == kZeroTime ? "-" : text;
}

bool is_true(const json::object& object, std::string_view name) {
  return text_of(object, name) == "true";
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_line(std::string text) {
  if (!text.ends_with('\n')) text += '\n';
  print(text);
}

}  // namespace dkron::cli
