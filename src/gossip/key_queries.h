// Key queries: changing the keys of a whole cluster while it runs.
//
// KeyKeeper answers `_serf_install-key` and its like by changing our keyring; KeyManager asks every
// member and sums up the answers. Rotating a key is three rounds: install it everywhere, use it
// everywhere, remove the old one. Parts of Serf; live on its thread. Source: the gossip
// specification 8.6.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gossip/keyring.h"
#include "gossip/query.h"

namespace dkron::gossip {

enum class KeyAction { Install, Use, Remove, List };
std::string_view query_name(KeyAction action);                     // "_serf_install-key" ...
std::optional<KeyAction> find_key_action(std::string_view query);  // By that name.

// What the members answered to a change of keys.
struct KeyReport {
  std::size_t members = 0;  // Asked.
  std::size_t responses = 0;
  std::size_t errors = 0;
  std::map<std::string, std::string> messages;  // By member: what went wrong or was said.
  std::map<std::string, std::size_t> keys;      // Base64: how many members have it.
  std::map<std::string, std::size_t> primary_keys;
};

class KeyKeeper {
 public:
  using Save = std::function<Result<>(const Keyring&)>;

  // `keyring` is null when nothing is encrypted; `save` may be empty.
  KeyKeeper(Keyring* keyring, Save save) : keyring_(keyring), save_(std::move(save)) {}

  // A change is saved before it counts: when saving fails, the ring stays as it was. The answer
  // names no more keys than fit into `limit_bytes`.
  KeyResponse answer(KeyAction action, std::string_view request, std::size_t limit_bytes);

 private:
  Result<> change(KeyAction action, const std::string& key);
  KeyResponse list(std::size_t limit_bytes) const;

  Keyring* keyring_;
  Save save_;
};

class KeyManager {
 public:
  explicit KeyManager(AskQuery ask) : ask_(std::move(ask)) {}

  // `key` is Base64, empty for List; `members` are alive. InvalidArgument for a malformed key.
  Result<> ask(KeyAction action, const std::string& key, std::size_t members,
               std::function<void(const KeyReport&)> done);

 private:
  AskQuery ask_;
};

}  // namespace dkron::gossip
