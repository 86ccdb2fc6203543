#include "store/keys.h"

namespace dkron::store::keys {
namespace {

void append_u32(std::string* key, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) key->push_back(static_cast<char>(value >> shift));
}

// Flipping the sign bit makes negative numbers sort before positive ones.
std::uint64_t ordered(std::int64_t value) {
  return static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63);
}

std::string with_uid(std::string_view prefix, std::uint64_t uid) {
  std::string key(prefix);
  append_u64(&key, uid);
  return key;
}

std::string with_group(std::string_view prefix, std::uint64_t uid, std::int64_t group) {
  std::string key = with_uid(prefix, uid);
  append_u64(&key, ordered(group));
  return key;
}

std::string with_attempt(std::string_view prefix, std::uint64_t uid, std::int64_t group,
                         std::string_view node, std::uint32_t attempt) {
  std::string key = with_group(prefix, uid, group);
  key += node;
  key += '\0';
  append_u32(&key, attempt);
  return key;
}

}  // namespace

void append_u64(std::string* key, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) key->push_back(static_cast<char>(value >> shift));
}

std::uint64_t read_u64(std::string_view bytes) {
  if (bytes.size() < 8) return 0;
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return value;
}

std::string definition(std::string_view name) {
  return "j/" + std::string(name);
}
std::string name_of(std::uint64_t uid) {
  return with_uid("u/", uid);
}
std::string state(std::uint64_t uid) {
  return with_uid("s/", uid);
}
std::string group(std::uint64_t uid, std::int64_t group) {
  return with_group("g/", uid, group);
}
std::string groups_of(std::uint64_t uid) {
  return with_uid("g/", uid);
}

std::string executions_of(std::uint64_t uid) {
  return with_uid("x/", uid);
}
std::string executions_from(std::uint64_t uid, std::int64_t group) {
  return with_group("x/", uid, group);
}
std::string execution(std::uint64_t uid, std::int64_t group, std::string_view node,
                      std::uint32_t attempt) {
  return with_attempt("x/", uid, group, node, attempt);
}
std::string outputs_of(std::uint64_t uid) {
  return with_uid("o/", uid);
}
std::string outputs_from(std::uint64_t uid, std::int64_t group) {
  return with_group("o/", uid, group);
}
std::string output(std::uint64_t uid, std::int64_t group, std::string_view node,
                   std::uint32_t attempt) {
  return with_attempt("o/", uid, group, node, attempt);
}

std::string ledger_of(std::uint64_t uid) {
  return with_uid("l/", uid);
}

std::string ledger(std::uint64_t uid, Instant newest) {
  std::string key = ledger_of(uid);
  append_u64(&key, ~ordered(newest.unix_seconds()));
  append_u32(&key, ~static_cast<std::uint32_t>(newest.nanos()));
  return key;
}

Instant ledger_instant(std::string_view key) {
  if (key.size() != 2 + 8 + 8 + 4) return Instant();
  const std::uint64_t s = ~read_u64(key.substr(10)) ^ (std::uint64_t{1} << 63);
  std::uint32_t n = 0;
  for (std::size_t i = 18; i < 22; ++i) n = n << 8 | static_cast<unsigned char>(key[i]);
  return Instant::from_unix(static_cast<std::int64_t>(s), static_cast<std::int32_t>(~n));
}

std::string follow_up(std::uint64_t uid, std::int64_t group) {
  return with_group("f/", uid, group);
}

std::string statistics(Instant day) {
  return statistics(format_rfc3339(day).substr(0, 10));
}
std::string statistics(std::string_view date) {
  return "d/" + std::string(date);
}

std::string request(std::uint64_t request_id) {
  return with_uid("r/", request_id);
}
std::string request_sequence(std::uint64_t sequence) {
  return with_uid("q/", sequence);
}

std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
  return end;
}

}  // namespace dkron::store::keys
