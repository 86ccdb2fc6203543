// GET /v1/jobs: paging, sorting, filters (spec rest-api 4.1).
//
// What the index knows is answered from memory; filters and sort fields that only the definition
// has walk the store on a worker thread.
#include <algorithm>
#include <set>

#include "api/api.h"
#include "api/paging.h"
#include "model/job_json.h"
#include "state/views.h"

namespace dkron::api {
namespace {

using state::SortField;

struct ListQuery {
  state::IndexQuery index;
  std::string sort = "id";
  model::StringMap metadata;
  model::StringMap tags;
  std::set<std::string> ids;
  std::string owner, executor, parent_job, status, disabled, text;
  bool has_owner = false, has_executor = false, has_parent = false;
  bool needs_definitions = false;
};

std::optional<SortField> index_field(std::string_view name) {
  if (name == "id" || name == "name") return SortField::Name;
  if (name == "displayname") return SortField::Displayname;
  if (name == "success_count") return SortField::SuccessCount;
  if (name == "error_count") return SortField::ErrorCount;
  if (name == "last_success") return SortField::LastSuccess;
  if (name == "last_error") return SortField::LastError;
  if (name == "next") return SortField::Next;
  if (name == "status") return SortField::Status;
  if (name == "disabled") return SortField::Disabled;
  return std::nullopt;
}

// Digits that sort as the times do; those of RFC 3339 do not, because final zeros are cut.
std::string time_key(Instant t) {
  const std::string seconds =
      std::to_string(1'000'000'000'000 + (t.unix_seconds() - Instant::kZeroSeconds));
  return seconds + std::to_string(1'000'000'000 + t.nanos());
}

// The text that jobs are sorted by for fields that the index lacks; null for an unknown field.
using Text = std::string (*)(const model::Job&);
Text definition_field(std::string_view name) {
  if (name == "schedule") return [](const model::Job& j) { return j.schedule; };
  if (name == "timezone") return [](const model::Job& j) { return j.timezone; };
  if (name == "owner") return [](const model::Job& j) { return j.owner; };
  if (name == "owner_email") return [](const model::Job& j) { return j.owner_email; };
  if (name == "executor") return [](const model::Job& j) { return j.executor; };
  if (name == "parent_job") return [](const model::Job& j) { return j.parent_job; };
  if (name == "concurrency") return [](const model::Job& j) { return j.concurrency; };
  if (name == "retries")
    return [](const model::Job& j) { return std::to_string(1'000'000'000 + j.retries); };
  if (name == "ephemeral")
    return [](const model::Job& j) { return std::string(j.ephemeral ? "1" : "0"); };
  if (name == "starts_at") return [](const model::Job& j) { return time_key(j.starts_at); };
  if (name == "expires_at") return [](const model::Job& j) { return time_key(j.expires_at); };
  return nullptr;
}

// "name[KEY]" -> KEY.
bool bracketed(std::string_view name, std::string_view prefix, std::string* key) {
  if (!name.starts_with(prefix) || !name.ends_with(']')) return false;
  name.remove_prefix(prefix.size());
  name.remove_suffix(1);
  *key = name;
  return !name.empty();
}

bool has_all(const std::optional<model::StringMap>& map, const model::StringMap& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
    if (!map) return false;
    const auto found = map->find(pair.first);
    return found != map->end() && found->second == pair.second;
  });
}

Result<ListQuery> parse_query(const Exchange& exchange) {
  ListQuery query;
  for (const net::QueryParameter& p : exchange.request().query) {
    std::string key;
    if (bracketed(p.name, "metadata[", &key)) {
      query.metadata.emplace(key, p.value);
    } else if (bracketed(p.name, "tags[", &key)) {
      query.tags.emplace(key, p.value);
    } else if (p.name == "id") {
      query.ids.insert(p.value);
    }
  }
  query.owner = exchange.query("owner");
  query.has_owner = exchange.has_query("owner");
  query.executor = exchange.query("executor");
  query.has_executor = exchange.has_query("executor");
  query.parent_job = exchange.query("parent_job");
  query.has_parent = exchange.has_query("parent_job");
  query.status = exchange.query("status");
  query.disabled = exchange.query("disabled");
  query.index.text = exchange.query("q");
  if (!exchange.query("_sort").empty()) query.sort = exchange.query("_sort");
  query.index.descending = exchange.query("_order") == "DESC";
  const Page page = read_page(exchange);
  query.index.start = page.start;
  query.index.end = page.end;

  const auto field = index_field(query.sort);
  if (field) {
    query.index.sort = *field;
  } else if (definition_field(query.sort) == nullptr) {
    return fail(ErrorCode::InvalidArgument, "cannot sort by " + query.sort);
  }
  query.needs_definitions = !field || !query.metadata.empty() || !query.tags.empty() ||
                            query.has_owner || query.has_executor || query.has_parent;
  if (query.status.empty() && query.disabled.empty() && query.ids.empty()) return query;
  query.index.filter = [status = query.status, disabled = query.disabled,
                        ids = query.ids](const state::JobSummary& job) {
    const std::string_view text = state::to_string(job.status);
    const bool status_ok =
        status.empty() || (status == "untriggered" ? text.empty() : text == status);
    const bool disabled_ok = disabled.empty() || disabled == (job.disabled ? "true" : "false");
    return status_ok && disabled_ok && (ids.empty() || ids.count(job.name) != 0);
  };
  return query;
}

bool matches_definition(const ListQuery& query, const model::Job& job) {
  return has_all(job.metadata, query.metadata) && has_all(job.tags, query.tags) &&
         (!query.has_owner || job.owner == query.owner) &&
         (!query.has_executor || job.executor == query.executor) &&
         (!query.has_parent || job.parent_job == query.parent_job);
}

// Narrows the index's matches down by what only the definitions tell, sorts and pages.
Result<state::IndexPage> list_by_definitions(const ListQuery& query, const state::JobIndex& index,
                                             const store::Reader& reader) {
  state::IndexQuery all = query.index;
  all.start = 0;
  all.end = UINT64_MAX;
  const state::IndexPage candidates = index.list(all);
  const Text text = definition_field(query.sort);
  std::vector<std::pair<std::string, state::JobRef>> rows;
  for (const state::JobRef& ref : candidates.jobs) {
    auto job = state::find_job(reader, ref.name);
    if (!job) return fail(job.error());
    if (!*job || !matches_definition(query, **job)) continue;
    std::string key = text == nullptr ? "" : text(**job);
    std::transform(key.begin(), key.end(), key.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    rows.emplace_back(std::move(key), ref);
  }
  if (text != nullptr) {
    std::stable_sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) {
      return query.index.descending ? b.first < a.first : a.first < b.first;
    });
  }
  state::IndexPage page;
  page.total = rows.size();
  for (std::uint64_t i = query.index.start;
       i < std::min<std::uint64_t>(rows.size(), query.index.end); ++i) {
    page.jobs.push_back(std::move(rows[i].second));
  }
  return page;
}

std::string concatenate(const std::vector<JobCache::Rendered>& rendered) {
  std::size_t size = 2;
  for (const auto& json : rendered) size += json->size() + 1;
  std::string body;
  body.reserve(size);
  body += '[';
  for (const auto& json : rendered) {
    if (body.size() > 1) body += ',';
    body += *json;
  }
  return body += ']';
}

}  // namespace

void Api::add_job_list_route() {
  router_.add(net::Method::Get, "/v1/jobs", [this](const ExchangePtr& exchange) {
    on_worker(exchange, [this](const ExchangePtr& e) {
      auto query = parse_query(*e);
      if (!query) {
        e->error(query.error());
        return;
      }
      const store::Reader& reader = services_.store.reader();
      auto page = query->needs_definitions
                      ? list_by_definitions(*query, services_.index, reader)
                      : Result<state::IndexPage>(services_.index.list(query->index));
      if (!page) {
        e->error(page.error());
        return;
      }
      auto rendered = cache_.get(reader, page->jobs);
      if (!rendered) {
        e->error(rendered.error());
        return;
      }
      e->add_header("X-Total-Count", std::to_string(page->total));
      e->json(200, concatenate(*rendered));
    });
  });
}

}  // namespace dkron::api
