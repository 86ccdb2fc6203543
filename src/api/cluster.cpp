// The cluster: status, members, leader, pause, statistics (spec rest-api 3.3, 3.4, 6, 7).
#include <algorithm>
#include <charconv>
#include <utility>

#include "api/api.h"
#include "model/job_json.h"
#include "state/views.h"

namespace dkron::api {
namespace {

constexpr int kStatisticsDaysDefault = 30;
constexpr int kStatisticsDaysLimit = 365;

using StringMap = std::map<std::string, std::string>;

void append_map(std::string* out, const StringMap& map) {
  *out += '{';
  bool first = true;
  for (const auto& [key, value] : map) {
    if (!first) *out += ',';
    first = false;
    model::append_json_string(out, key);
    *out += ':';
    model::append_json_string(out, value);
  }
  *out += '}';
}

std::string_view status_text(int status) {
  static constexpr std::string_view kNames[] = {"none", "alive", "leaving", "left", "failed"};
  return status >= 0 && status < 5 ? kNames[status] : kNames[0];
}

// A name-based id in the form of a UUID, so that a row keeps its identity between requests.
std::string member_id(const std::string& name) {
  std::uint64_t high = 0xcbf29ce484222325, low = 0x84222325cbf29ce4;
  for (const char c : name) {
    high = (high ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    low = (low ^ static_cast<unsigned char>(c)) * 0x100000001b3 + high;
  }
  char text[40];
  std::snprintf(text, sizeof text, "%08x-%04x-8%03x-8%03x-%012llx",
                static_cast<unsigned>(high >> 32), static_cast<unsigned>(high >> 16 & 0xffff),
                static_cast<unsigned>(high & 0xfff), static_cast<unsigned>(low >> 52),
                static_cast<unsigned long long>(low & 0xffffffffffff));
  return text;
}

void append_member(std::string* out, const Member& member) {
  *out += "{\"Name\":";
  model::append_json_string(out, member.name);
  *out += ",\"Addr\":";
  model::append_json_string(out, member.address);
  *out += ",\"Port\":" + std::to_string(member.port) + ",\"Tags\":";
  append_map(out, member.tags);
  *out += ",\"Status\":" + std::to_string(member.status);
  static constexpr std::string_view kVersions[] = {"ProtocolMin", "ProtocolMax", "ProtocolCur",
                                                   "DelegateMin", "DelegateMax", "DelegateCur"};
  for (std::size_t i = 0; i < member.versions.size(); ++i) {
    *out += ",\"" + std::string(kVersions[i]) + "\":" + std::to_string(member.versions[i]);
  }
  *out += ",\"id\":\"" + member_id(member.name) + "\",\"statusText\":";
  const std::string status(member.refused.empty() ? status_text(member.status) : "refused");
  model::append_json_string(out, status);
  if (!member.refused.empty()) {
    *out += ",\"refused\":";
    model::append_json_string(out, member.refused);
  }
  *out += '}';
}

StringMap status_map(const GossipStatus& status) {
  return {{"coordinate_resets", "0"},
          {"encrypted", status.is_encrypted ? "true" : "false"},
          {"event_queue", std::to_string(status.event_queue)},
          {"event_time", std::to_string(status.event_time)},
          {"failed", std::to_string(status.failed)},
          {"health_score", std::to_string(status.health_score)},
          {"intent_queue", std::to_string(status.intent_queue)},
          {"left", std::to_string(status.left)},
          {"member_time", std::to_string(status.member_time)},
          {"members", std::to_string(status.members)},
          {"query_queue", std::to_string(status.query_queue)},
          {"query_time", std::to_string(status.query_time)}};
}

int read_days(std::string_view text) {
  int days = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), days);
  if (error != std::errc() || end != text.data() + text.size() || days <= 0)
    return kStatisticsDaysDefault;
  return std::min(days, kStatisticsDaysLimit);
}

std::string statistics_json(const std::vector<state::DayCount>& days) {
  std::string body = "{\"stats\":[";
  for (const state::DayCount& day : days) {
    if (body.back() == '}') body += ',';
    body += "{\"date\":\"" + day.date +
            "T00:00:00Z\",\"success_count\":" + std::to_string(day.success_count) +
            ",\"failed_count\":" + std::to_string(day.failed_count) + "}";
  }
  return body + "]}";
}

}  // namespace

void Api::add_cluster_routes() {
  const auto status = [this](const ExchangePtr& exchange) {
    std::string body = "{\"agent\":{\"name\":";
    model::append_json_string(&body, services_.node_name);
    body += ",\"version\":\"" + services_.version + "\"},\"serf\":";
    append_map(&body, status_map(services_.gossip_status()));
    body += ",\"tags\":";
    for (const Member& member : services_.members()) {
      if (member.name == services_.node_name) append_map(&body, member.tags);
    }
    exchange->json(200, body + "}");
  };
  router_.add(net::Method::Get, "/v1", status);
  router_.add(net::Method::Get, "/v1/", status);

  router_.add(net::Method::Get, "/v1/members", [this](const ExchangePtr& exchange) {
    auto members = services_.members();
    // By name; those that are no members, because they were refused, behind the others.
    std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
      return std::pair(!a.refused.empty(), a.name) < std::pair(!b.refused.empty(), b.name);
    });
    std::string body = "[";
    for (const Member& member : members) {
      if (body.size() > 1) body += ',';
      append_member(&body, member);
    }
    exchange->add_header("X-Total-Count", std::to_string(members.size()));
    exchange->json(200, body + "]");
  });

  router_.add(net::Method::Get, "/v1/leader", [this](const ExchangePtr& exchange) {
    const std::string leader = services_.control.leader_name();
    for (const Member& member : services_.members()) {
      if (leader.empty() || member.name != leader) continue;
      std::string body;
      append_member(&body, member);
      exchange->json(200, std::move(body));
      return;
    }
    exchange->error(503, "no leader");
  });

  router_.add(net::Method::Get, "/v1/isleader", [this](const ExchangePtr& exchange) {
    if (services_.control.is_leader()) {
      exchange->json(200, "\"I am a leader\"");
    } else {
      exchange->json(404, "\"I am a follower\"");
    }
  });

  router_.add(net::Method::Post, "/v1/leave", [this](const ExchangePtr& exchange) {
    services_.leave([exchange](const Result<void>& allowed) {
      if (allowed) {
        exchange->json(200, "{}");
      } else {
        exchange->error(allowed.error());
      }
    });
  });

  const auto answer_pause = [](const ExchangePtr& exchange, bool paused) {
    exchange->json(200, paused ? "{\"paused\":true}" : "{\"paused\":false}");
  };
  router_.add(net::Method::Get, "/v1/pause", [this, answer_pause](const ExchangePtr& e) {
    answer_pause(e, services_.is_paused());
  });
  const auto set_paused = [this, answer_pause](bool paused) {
    return [this, answer_pause, paused](const ExchangePtr& exchange) {
      services_.control.set_paused(paused,
                                   [exchange, answer_pause, paused](const Result<void>& done) {
                                     if (done) {
                                       answer_pause(exchange, paused);
                                     } else {
                                       exchange->error(done.error());
                                     }
                                   });
    };
  };
  router_.add(net::Method::Post, "/v1/pause", set_paused(true));
  router_.add(net::Method::Post, "/v1/unpause", set_paused(false));

  router_.add(net::Method::Get, "/v1/stats", [this](const ExchangePtr& exchange) {
    on_worker(exchange, [this, today = services_.clock.wall()](const ExchangePtr& e) {
      auto days =
          state::list_statistics(services_.store.reader(), today, read_days(e->query("days")));
      if (!days) {
        e->error(days.error());
      } else {
        e->json(200, statistics_json(*days));
      }
    });
  });
}

}  // namespace dkron::api
