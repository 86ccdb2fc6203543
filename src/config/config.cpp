#include "config/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/go_text.h"
#include "config/file.h"

namespace dkron::config {
namespace {

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

tl::unexpected<Error> undecodable(std::string_view key, const std::string& why) {
  return invalid("config: Error unmarshalling config: '" + std::string(key) + "' " + why);
}

const Option* find_option(std::string_view name) {
  for (const Option& option : agent_options()) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string variable_name(std::string_view option) {
  std::string name = "DKRON_";
  for (const char c : option)
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return name;
}

// The settings of all sources by name, as texts; a list keeps its items apart.
class Merged {
 public:
  Merged(const Sources& sources, const FileValues& file) : sources_(sources), file_(file) {}

  // Nullopt: nobody set it. Flags go before the environment, that before the file.
  Result<std::optional<List>> find(const Option& option) const {
    if (const auto flag = sources_.flags.given.find(option.name);
        flag != sources_.flags.given.end()) {
      return from_texts(option, flag->second);
    }
    if (const std::string* text = find_variable(option.name)) {
      // The tags of the environment are separated by blanks, since their values may hold commas.
      if (option.name == "tag") {
        List tags;
        for (const auto word : go::fields(*text)) tags.emplace_back(word);
        return tags;
      }
      return from_texts(option, {*text});
    }
    const auto value = file_.find(std::string(option.name));
    if (value == file_.end()) return std::nullopt;
    const FileValue& found = value->second;
    if (found.kind == FileValue::Kind::Mapping)
      return undecodable(option.name, "expected a value, got a mapping");
    if (found.kind == FileValue::Kind::Scalar) return from_texts(option, {found.text});
    if (option.type != Type::Strings)
      return undecodable(option.name, "expected a single value, got a list");
    return found.list;
  }

  const std::string* find_variable(std::string_view option) const {
    const auto variable = sources_.environment.find(variable_name(option));
    return variable == sources_.environment.end() || variable->second.empty() ? nullptr
                                                                              : &variable->second;
  }

  const FileValue* find_file_value(const std::string& key) const {
    const auto value = file_.find(key);
    return value == file_.end() ? nullptr : &value->second;
  }

 private:
  static Result<std::optional<List>> from_texts(const Option& option, const List& texts) {
    if (option.type != Type::Strings) {
      // In files and the environment, a bare number of a duration means nanoseconds.
      std::string text = texts.back();
      const bool bare = option.type == Type::Duration && !text.empty() &&
                        text.find_first_not_of("0123456789") == text.npos;
      if (bare) text += "ns";
      if (auto checked = check_value(option.type, text); !checked) {
        return undecodable(option.name, checked.error().message);
      }
      return List{text};
    }
    List items;
    for (const std::string& text : texts) {
      auto list = split_list(text);
      if (!list) return undecodable(option.name, list.error().message);
      items.insert(items.end(), list->begin(), list->end());
    }
    return items;
  }

  const Sources& sources_;
  const FileValues& file_;
};

// The tags of `tag` when there are any, else those of the map (spec cli 7).
Result<Map> read_tags(const Merged& merged) {
  auto list = merged.find(*find_option("tag"));
  if (!list) return fail(list.error());
  Map tags;
  if (*list && !(*list)->empty()) {
    for (const std::string& tag : **list) {
      const auto equals = tag.find('=');
      if (equals == std::string::npos || equals == 0) {
        return invalid("config: Error unmarshalling cli tags: invalid tag: '" + tag + "'");
      }
      tags[tag.substr(0, equals)] = tag.substr(equals + 1);
    }
  } else if (const std::string* json = merged.find_variable("tags")) {
    auto parsed = parse_config("json", "{\"tags\":" + *json + "}");
    if (!parsed || parsed->at("tags").kind != FileValue::Kind::Mapping) {
      return undecodable("tags", "DKRON_TAGS must be a JSON object");
    }
    tags = parsed->at("tags").map;
  } else if (const FileValue* value = merged.find_file_value("tags")) {
    const bool is_empty = value->text.empty() && value->list.empty();
    if (value->kind != FileValue::Kind::Mapping && !is_empty) {
      return undecodable("tags", "expected a mapping of names to texts");
    }
    tags = value->map;
  }
  for (const auto& [key, value] : tags) {
    if (is_reserved_tag(key)) {
      return invalid("config: tag '" + key + "' is set by dkron itself and cannot be given");
    }
  }
  return tags;
}

// Every option by name, merged and checked.
using Settings = std::map<std::string_view, List>;

Result<Settings> merge(const Merged& merged) {
  Settings settings;
  for (const Option& option : agent_options()) {
    auto value = merged.find(option);
    if (!value) return fail(value.error());
    const bool is_set =
        *value && !(*value)->empty() && !((*value)->size() == 1 && (*value)->front().empty());
    if (is_set && !option.is_available) {
      return invalid("config: '" + std::string(option.name) +
                     "' is not available yet in this version");
    }
    if (is_set) {
      settings[option.name] = std::move(**value);
    } else if (option.type == Type::Bool && option.standard.empty()) {
      settings[option.name] = {"false"};
    } else if ((option.type == Type::Int || option.type == Type::Uint16) &&
               option.standard.empty()) {
      settings[option.name] = {"0"};
    } else {
      settings[option.name] = {std::string(option.standard)};
    }
  }
  return settings;
}

Result<int> read_number(const Settings& settings, std::string_view name, std::int64_t least,
                        std::int64_t most) {
  const std::int64_t value = read_int(settings.at(name).back());
  if (value < least || value > most) {
    return invalid(std::string(name) + " cannot be " + std::to_string(value) +
                   ". Must be between " + std::to_string(least) + " and " + std::to_string(most));
  }
  return static_cast<int>(value);
}

Result<void> read_numbers(const Settings& settings, Config* config) {
  auto expect = read_number(settings, "bootstrap-expect", 0, 99);
  auto rpc_port = read_number(settings, "rpc-port", 0, 65535);
  auto advertise = read_number(settings, "advertise-rpc-port", -1, 65535);
  auto multiplier = read_number(settings, "raft-multiplier", 0, 10);
  auto retries = read_number(settings, "agent-run-max-retries", 0, 1000);
  auto retry_max = read_number(settings, "retry-max", 0, 1'000'000);
  for (const auto* number : {&expect, &rpc_port, &advertise, &multiplier, &retries, &retry_max}) {
    if (!*number) return fail(number->error());
  }
  config->bootstrap_expect = *expect;
  config->rpc_port = *rpc_port;
  config->advertise_rpc_port = *advertise > 0 ? *advertise : *rpc_port;
  config->raft_multiplier = std::max(*multiplier, 1);
  config->retry_max = *retry_max;
  return {};
}

Result<void> read_logging(const Settings& settings, Config* config,
                          std::vector<std::string>* warnings) {
  if (auto level = log::parse_level(settings.at("log-level").back())) {
    config->log_level = *level;
  } else {
    warnings->push_back(level.error().message);
  }
  const std::string& format = settings.at("log-format").back();
  if (format != "text" && format != "json") {
    return undecodable("log-format", "must be text or json, not " + go::quote(format));
  }
  config->log_format = format == "json" ? log::Format::Json : log::Format::Text;
  return {};
}

Result<void> read_times(const Settings& settings, Config* config) {
  const std::pair<std::string_view, Duration*> times[] = {
      {"retry-interval", &config->retry_interval},
      {"serf-reconnect-timeout", &config->serf_reconnect_timeout},
      {"drain-timeout", &config->drain_timeout},
      {"dead-server-timeout", &config->dead_server_limit}};
  for (const auto& [name, target] : times) {
    auto time = parse_duration(settings.at(name).back());
    if (!time) return undecodable(name, time.error().message);
    if (*time < Duration(0)) return undecodable(name, "must not be negative");
    *target = *time;
  }
  return {};
}

Result<void> read_tls(const Settings& settings, Config* config) {
  const auto text = [&](std::string_view name) { return settings.at(name).back(); };
  const auto flag = [&](std::string_view name) { return read_bool(settings.at(name).back()); };
  if (flag("auto-tls"))
    return invalid("config: 'auto-tls' is not available: set cert-file, key-file, trusted-ca-file");
  Tls& tls = config->tls;
  tls.certificate = text("cert-file");
  tls.key = text("key-file");
  tls.trusted = text("trusted-ca-file");
  tls.revoked = text("client-crl-file");
  tls.verify_clients = flag("client-cert-auth");
  tls.for_http = !flag("disable-http-tls");
  // A node is also a client of others, and never without checking whom it talks to.
  const bool some = tls.is_on() || !tls.key.empty() || !tls.trusted.empty();
  const bool all = tls.is_on() && !tls.key.empty() && !tls.trusted.empty();
  if (some && !all)
    return invalid("config: cert-file, key-file and trusted-ca-file belong together");
  if (tls.verify_clients && !all)
    return invalid("config: client-cert-auth needs cert-file, key-file and trusted-ca-file");
  if (!tls.revoked.empty() && !tls.verify_clients)
    return invalid("config: client-crl-file needs client-cert-auth");
  return {};
}

// A list option's default is one empty text.
List read_list(const Settings& settings, std::string_view name) {
  const List& list = settings.at(name);
  return list.size() == 1 && list.front().empty() ? List() : list;
}

std::vector<std::string> unknown_keys(const FileValues& file) {
  std::vector<std::string> warnings;
  for (const auto& [key, value] : file) {
    if (key != "tags" && find_option(key) == nullptr)
      warnings.push_back("unknown configuration key '" + key + "'");
  }
  return warnings;
}

Result<std::optional<Path>> choose_file(const Sources& sources) {
  if (const auto given = sources.flags.given.find("config"); given != sources.flags.given.end()) {
    const Path path = given->second.back();
    return std::optional(path.is_absolute() ? path : sources.working_directory / path);
  }
  return find_config_file(sources.home, sources.working_directory);
}

}  // namespace

bool is_reserved_tag(std::string_view key) {
  static constexpr std::string_view kReserved[] = {
      "role",      "dc",     "region",   "version", "server",     "bootstrap",   "expect",
      "rpc_addr",  "port",   "cluster_id", "run_journal", "leaving", "draining"};
  return std::find(std::begin(kReserved), std::end(kReserved), key) != std::end(kReserved);
}

Result<Loaded> load(const Sources& sources) {
  Loaded loaded;
  auto path = choose_file(sources);
  if (!path) return fail(path.error());
  FileValues file;
  if (*path) {
    auto values = read_config_file(**path);
    if (!values) return invalid("config: " + values.error().message);
    file = std::move(*values);
    loaded.file = **path;
    loaded.warnings = unknown_keys(file);
  }
  const Merged merged(sources, file);
  auto settings = merge(merged);
  if (!settings) return fail(settings.error());
  auto tags = read_tags(merged);
  if (!tags) return fail(tags.error());

  Config& config = loaded.config;
  const auto text = [&](std::string_view name) { return settings->at(name).back(); };
  const auto flag = [&](std::string_view name) { return read_bool(settings->at(name).back()); };
  config.tags = std::move(*tags);
  config.server = flag("server");
  config.bootstrap = flag("bootstrap");
  config.devmode = flag("devmode");
  config.ui = flag("ui");
  config.enable_prometheus = flag("enable-prometheus");
  config.node_name = text("node-name").empty() ? host_name() : text("node-name");
  config.data_dir = text("data-dir");
  config.datacenter = text("datacenter");
  config.region = text("region");
  config.bind_addr = text("bind-addr");
  config.advertise_addr = text("advertise-addr");
  config.http_addr = text("http-addr");
  config.profile = text("profile");
  config.encrypt = text("encrypt");
  config.join = read_list(*settings, "join");
  config.retry_join = read_list(*settings, "retry-join");
  if (config.node_name.empty())
    return invalid("config: node-name is empty and the machine has no host name");
  if (auto read = read_numbers(*settings, &config); !read) return fail(read.error());
  if (auto read = read_logging(*settings, &config, &loaded.warnings); !read)
    return fail(read.error());
  if (auto read = read_times(*settings, &config); !read) return fail(read.error());
  if (auto read = read_tls(*settings, &config); !read) return fail(read.error());
  return loaded;
}

}  // namespace dkron::config
