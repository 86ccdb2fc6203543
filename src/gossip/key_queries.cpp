#include "gossip/key_queries.h"

#include <array>
#include <utility>

#include "base/base64.h"
#include "base/log.h"

namespace dkron::gossip {
namespace {

constexpr std::array<std::pair<KeyAction, std::string_view>, 4> kNames{{
    {KeyAction::Install, "_serf_install-key"},
    {KeyAction::Use, "_serf_use-key"},
    {KeyAction::Remove, "_serf_remove-key"},
    {KeyAction::List, "_serf_list-keys"},
}};

KeyResponse failed(std::string message) {
  KeyResponse response;
  response.message = std::move(message);
  return response;
}

KeyResponse succeeded() {
  KeyResponse response;
  response.is_success = true;
  return response;
}

void count_response(const std::string& from, std::string_view payload, KeyReport& report) {
  ++report.responses;
  const Result<KeyResponse> response = decode_key_response(payload);
  if (!response) {
    ++report.errors;
    report.messages[from] = response.error().message;
    return;
  }
  if (!response->is_success) ++report.errors;
  if (!response->is_success || !response->message.empty()) {
    report.messages[from] = response->message;
  }
  for (const std::string& key : response->keys) ++report.keys[key];
  if (!response->primary_key.empty()) ++report.primary_keys[response->primary_key];
}

}  // namespace

std::string_view query_name(KeyAction action) {
  for (const auto& [known, name] : kNames) {
    if (known == action) return name;
  }
  return {};
}

std::optional<KeyAction> find_key_action(std::string_view query) {
  for (const auto& [action, name] : kNames) {
    if (name == query) return action;
  }
  return std::nullopt;
}

KeyResponse KeyKeeper::answer(KeyAction action, std::string_view request, std::size_t limit_bytes) {
  const bool is_list = action == KeyAction::List;
  if (keyring_ == nullptr) {
    return failed(is_list ? "Keyring is empty (encryption not enabled)"
                          : "No keyring to modify (encryption not enabled)");
  }
  const Result<KeyRequest> decoded = decode_key_request(request);
  if (!decoded) return failed(decoded.error().message);
  if (is_list) return list(limit_bytes);
  if (const Result<> changed = change(action, decoded->key); !changed) {
    log::warning("gossip: a change of keys failed",
                 {{"query", query_name(action)}, {"reason", changed.error()}});
    return failed(changed.error().message);
  }
  log::info("gossip: the keys were changed",
            {{"query", query_name(action)}, {"keys", keyring_->keys().size()}});
  return succeeded();
}

Result<> KeyKeeper::change(KeyAction action, const std::string& key) {
  Keyring changed = *keyring_;
  Result<> done;
  switch (action) {
    case KeyAction::Install: done = changed.install(key); break;
    case KeyAction::Use: done = changed.use(key); break;
    case KeyAction::Remove: done = changed.remove(key); break;
    case KeyAction::List: break;
  }
  if (!done) return done;
  if (save_) {
    if (Result<> saved = save_(changed); !saved) return saved;
  }
  *keyring_ = std::move(changed);
  return {};
}

KeyResponse KeyKeeper::list(std::size_t limit_bytes) const {
  KeyResponse response = succeeded();
  for (const std::string& key : keyring_->keys()) response.keys.push_back(encode_base64(key));
  response.primary_key = response.keys.front();
  const std::size_t total = response.keys.size();
  while (!response.keys.empty() && encode(response).size() > limit_bytes) {
    response.keys.pop_back();
    response.message = "Truncated key list response, showing first " +
                       std::to_string(response.keys.size()) + " of " + std::to_string(total) +
                       " keys";
  }
  return response;
}

Result<> KeyManager::ask(KeyAction action, const std::string& key, std::size_t members,
                         std::function<void(const KeyReport&)> done) {
  const Result<std::string> raw = decode_base64(key);
  if (!raw) return fail(raw.error());
  if (raw->empty() && action != KeyAction::List) {
    return fail(ErrorCode::InvalidArgument, "a key is needed");
  }
  auto report = std::make_shared<KeyReport>();
  report->members = members;
  QueryOptions options;
  options.enough_responses = members;
  QueryHandlers handlers;
  handlers.on_response = [report](const std::string& from, std::string_view payload) {
    count_response(from, payload, *report);
  };
  handlers.on_done = [report, done = std::move(done)] { done(*report); };
  return ask_(query_name(action), encode(KeyRequest{*raw}), options, std::move(handlers));
}

}  // namespace dkron::gossip
