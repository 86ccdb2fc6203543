// The keys that gossip is encrypted with: list, install, use, remove, on all members at once.
//
// The methods are those of Consul: GET lists, POST installs, PUT makes primary, DELETE removes. The
// answers hold the keys themselves, so only clients on this machine are served.
#include <boost/json.hpp>

#include "api/api.h"
#include "model/job_json.h"

namespace dkron::api {
namespace {

namespace json = boost::json;
using gossip::KeyAction;

bool is_this_machine(const std::string& remote) {
  return remote.starts_with("127.") || remote.starts_with("[::1]:") ||
         remote.starts_with("[::ffff:127.");
}

// {"key": "<Base64>"}; Go's clients may write "Key".
Result<std::string> read_key(const std::string& body) {
  json::error_code error;
  const json::value value = json::parse(body, error);
  const json::object* object = error ? nullptr : value.if_object();
  if (object != nullptr) {
    for (const char* name : {"key", "Key"}) {
      const json::value* key = object->if_contains(name);
      if (key != nullptr && key->is_string() && !key->as_string().empty()) {
        return std::string(key->as_string());
      }
    }
  }
  return fail(ErrorCode::InvalidArgument, "the body must be {\"key\": \"<Base64>\"}");
}

json::object counts(const std::map<std::string, std::size_t>& map) {
  json::object object;
  for (const auto& [key, count] : map) object[key] = count;
  return object;
}

std::string to_json(const gossip::KeyReport& report) {
  json::object messages;
  for (const auto& [member, message] : report.messages) messages[member] = message;
  const json::object object{
      {"members", report.members},   {"responses", report.responses},
      {"errors", report.errors},     {"messages", std::move(messages)},
      {"keys", counts(report.keys)}, {"primary_keys", counts(report.primary_keys)}};
  return json::serialize(object);
}

}  // namespace

void Api::add_keyring_routes() {
  const auto add = [this](net::Method method, KeyAction action) {
    router_.add(method, "/v1/agent/keyring", [this, action](const ExchangePtr& exchange) {
      if (!is_this_machine(exchange->request().remote)) {
        return exchange->error(403, "keys are shown and changed only from the node's own machine");
      }
      std::string key;
      if (action != KeyAction::List) {
        auto read = read_key(exchange->request().body);
        if (!read) return exchange->error(read.error());
        key = std::move(*read);
      }
      services_.manage_keys(action, key, [exchange](const Result<gossip::KeyReport>& report) {
        if (!report) return exchange->error(report.error());
        // Some members did not follow: the report says which and why.
        const bool is_whole = report->errors == 0 && report->responses >= report->members;
        exchange->json(is_whole ? 200 : 500, to_json(*report));
      });
    });
  };
  add(net::Method::Get, KeyAction::List);
  add(net::Method::Post, KeyAction::Install);
  add(net::Method::Put, KeyAction::Use);
  add(net::Method::Delete, KeyAction::Remove);
}

}  // namespace dkron::api
