#include <charconv>

#include "model/job_json.h"
#include "model/unicode.h"

namespace dkron::model {
namespace {

constexpr std::string_view kZeroTime = "\"0001-01-01T00:00:00Z\"";

template <class Number>
void append_number(std::string* out, Number value) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out->append(buffer, end);
}

void append_time(std::string* out, Instant t) {
  *out += '"';
  *out += format_rfc3339(t);
  *out += '"';
}

void append_nullable_time(std::string* out, Instant t) {
  if (t.is_zero()) {
    *out += "null";
  } else {
    append_time(out, t);
  }
}

void append_zoned_time(std::string* out, Instant t, const TimeZone& zone) {
  if (t.is_zero()) {
    *out += kZeroTime;
    return;
  }
  *out += '"';
  *out += format_rfc3339(t, zone.to_civil(t).utc_offset_seconds);
  *out += '"';
}

void append_map(std::string* out, const StringMap& map) {
  *out += '{';
  bool first = true;
  for (const auto& [key, value] : map) {
    if (!first) *out += ',';
    first = false;
    append_json_string(out, key);
    *out += ':';
    append_json_string(out, value);
  }
  *out += '}';
}

// Empty maps read back as null (spec rest-api 3.1).
void append_optional_map(std::string* out, const std::optional<StringMap>& map) {
  if (!map || map->empty()) {
    *out += "null";
  } else {
    append_map(out, *map);
  }
}

void append_processors(std::string* out, const Job& job) {
  *out += '{';
  bool first = true;
  for (const auto& [name, config] : job.processors) {
    if (!first) *out += ',';
    first = false;
    append_json_string(out, name);
    *out += ':';
    append_map(out, config);
  }
  *out += '}';
}

void append_names(std::string* out, const std::vector<std::string>& names) {
  if (names.empty()) {
    *out += "null";
    return;
  }
  char separator = '[';
  for (const std::string& name : names) {
    *out += separator;
    append_json_string(out, name);
    separator = ',';
  }
  *out += ']';
}

void append_our_members(std::string* out, const Job& job) {
  if (!job.dst_policy.empty()) {
    *out += ",\"dst_policy\":";
    append_json_string(out, job.dst_policy);
  }
  if (job.missed_runs) {
    *out += ",\"missed_runs\":{\"policy\":\"";
    *out += to_string(job.missed_runs->policy);
    *out += "\",\"window\":\"";
    *out += format_duration(job.missed_runs->window);
    *out += "\"}";
  }
  if (job.keep_executions != 0) {
    *out += ",\"keep_executions\":";
    append_number(out, job.keep_executions);
  }
}

void append_execution_head(std::string* out, const Execution& e, const TimeZone& zone) {
  *out += "{\"id\":";
  append_json_string(out, e.id());
  *out += ",\"job_name\":";
  append_json_string(out, e.job_name);
  *out += ",\"started_at\":";
  append_zoned_time(out, e.started_at, zone);
  *out += ",\"finished_at\":";
  append_zoned_time(out, e.finished_at, zone);
  *out += e.success ? ",\"success\":true" : ",\"success\":false";
}

void append_execution_tail(std::string* out, const Execution& e, std::string_view output) {
  if (!output.empty()) {
    *out += ",\"output\":";
    append_json_string(out, output);
  }
  if (!e.node_name.empty()) {
    *out += ",\"node_name\":";
    append_json_string(out, e.node_name);
  }
  if (e.group != 0) {
    *out += ",\"group\":";
    append_number(out, e.group);
    *out += ",\"group_id\":\"";
    append_number(out, e.group);
    *out += '"';
  }
  *out += ",\"attempt\":";
  append_number(out, e.attempt);
  if (!e.scheduled_at.is_zero()) {
    *out += ",\"scheduled_at\":";
    append_time(out, e.scheduled_at);
  }
  if (e.lost) *out += ",\"lost\":true";
  if (e.output_truncated) {
    *out += ",\"output_bytes\":";
    append_number(out, e.output_bytes);
  }
}

}  // namespace

void append_json_string(std::string* out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  *out += '"';
  std::size_t plain = 0;
  const auto flush = [&](std::size_t end) { out->append(text.substr(plain, end - plain)); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      std::string_view rest = text.substr(i);
      const std::string_view character = next_character(&rest);
      const bool separator = character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9";
      const bool malformed = character.size() == 1;
      if (separator || malformed) {
        flush(i);
        *out += malformed ? "\xEF\xBF\xBD" : character.back() == '\xA8' ? "\\u2028" : "\\u2029";
        plain = i + character.size();
      }
      i += character.size() - 1;
      continue;
    }
    if (c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&') continue;
    flush(i);
    plain = i + 1;
    switch (c) {
      case '"': *out += "\\\""; break;
      case '\\': *out += "\\\\"; break;
      case '\n': *out += "\\n"; break;
      case '\r': *out += "\\r"; break;
      case '\t': *out += "\\t"; break;
      case '\b': *out += "\\b"; break;
      case '\f': *out += "\\f"; break;
      default:
        *out += "\\u00";
        *out += kHex[c >> 4];
        *out += kHex[c & 15];
    }
  }
  flush(text.size());
  *out += '"';
}

void append_job(std::string* out, const Job& job) {
  const auto text = [&](std::string_view key, std::string_view value) {
    *out += key;
    append_json_string(out, value);
  };
  text("{\"id\":", job.name);
  text(",\"name\":", job.name);
  text(",\"displayname\":", job.displayname);
  text(",\"timezone\":", job.timezone);
  text(",\"schedule\":", job.schedule);
  text(",\"owner\":", job.owner);
  text(",\"owner_email\":", job.owner_email);
  *out += ",\"success_count\":";
  append_number(out, job.success_count);
  *out += ",\"error_count\":";
  append_number(out, job.error_count);
  *out += ",\"last_success\":";
  append_nullable_time(out, job.last_success);
  *out += ",\"last_error\":";
  append_nullable_time(out, job.last_error);
  *out += job.disabled ? ",\"disabled\":true" : ",\"disabled\":false";
  *out += ",\"tags\":";
  append_optional_map(out, job.tags);
  *out += ",\"metadata\":";
  append_optional_map(out, job.metadata);
  *out += ",\"retries\":";
  append_number(out, job.retries);
  *out += ",\"dependent_jobs\":";
  append_names(out, job.dependent_jobs);
  text(",\"parent_job\":", job.parent_job);
  *out += ",\"processors\":";
  append_processors(out, job);
  text(",\"concurrency\":", job.concurrency);
  text(",\"executor\":", job.executor);
  *out += ",\"executor_config\":";
  append_optional_map(out, job.executor_config);
  text(",\"status\":", job.status);
  *out += ",\"next\":";
  append_time(out, job.next);
  *out += job.ephemeral ? ",\"ephemeral\":true" : ",\"ephemeral\":false";
  *out += ",\"starts_at\":";
  append_nullable_time(out, job.starts_at);
  *out += ",\"expires_at\":";
  append_nullable_time(out, job.expires_at);
  append_our_members(out, job);
  *out += '}';
}

void append_execution(std::string* out, const Execution& e, const TimeZone& zone) {
  append_execution_head(out, e, zone);
  append_execution_tail(out, e, e.output);
  *out += '}';
}

void append_listed_execution(std::string* out, const Execution& e, const TimeZone& zone,
                             std::int64_t output_limit_bytes) {
  std::string_view output = e.output;
  if (output_limit_bytes >= 0) {
    output = tail_at_character(output, static_cast<std::size_t>(output_limit_bytes));
  }
  append_execution_head(out, e, zone);
  append_execution_tail(out, e, output);
  *out += output.size() < e.output.size() ? ",\"output_truncated\":true}"
                                          : ",\"output_truncated\":false}";
}

std::string pretty(std::string_view json) {
  std::string out;
  out.reserve(json.size() * 2);
  std::size_t depth = 0;
  bool in_string = false;
  const auto new_line = [&] {
    out += '\n';
    out.append(depth * 4, ' ');
  };
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out += c;
      if (c == '\\') out += json[++i];
      if (c == '"') in_string = false;
      continue;
    }
    switch (c) {
      case '"':
        in_string = true;
        out += c;
        break;
      case '{':
      case '[':
        out += c;
        if (json[i + 1] == '}' || json[i + 1] == ']') {
          out += json[++i];
        } else {
          ++depth;
          new_line();
        }
        break;
      case '}':
      case ']':
        --depth;
        new_line();
        out += c;
        break;
      case ',':
        out += c;
        new_line();
        break;
      case ':': out += ": "; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace dkron::model
