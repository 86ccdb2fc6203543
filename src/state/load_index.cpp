#include "state/job_index.h"
#include "store/keys.h"

namespace dkron::state {

namespace keys = store::keys;

namespace {

template <class Message>
Result<void> scan_messages(const store::Reader& reader, std::string_view prefix,
                           const std::function<void(const Message&)>& visit) {
  bool readable = true;
  auto scanned =
      reader.scan(prefix, keys::end_of(prefix), [&](std::string_view, std::string_view value) {
        Message message;
        readable = message.ParseFromArray(value.data(), static_cast<int>(value.size()));
        if (readable) visit(message);
        return readable;
      });
  if (!scanned) return scanned;
  if (!readable)
    return fail(ErrorCode::Corrupt, "store: unreadable row under " + std::string(prefix));
  return {};
}

}  // namespace

Result<void> load_index(const store::Reader& reader, JobIndex* index) {
  index->clear();
  // States are sorted by uid, definitions by name: the summary is filled in two passes.
  auto states = scan_messages<store::JobState>(reader, "s/", [&](const store::JobState& state) {
    store::JobDefinition named;
    named.set_uid(state.uid());
    named.set_name(state.name());
    index->apply(JobChanged{summarize(named, state), true});
  });
  if (!states) return states;
  return scan_messages<store::JobDefinition>(
      reader, "j/", [&](const store::JobDefinition& definition) {
        JobSummary summary;
        if (!index->find(definition.uid(), &summary)) return;
        summary.schedule_revision = definition.schedule_revision();
        summary.displayname = definition.displayname();
        summary.disabled = definition.disabled();
        summary.has_parent = !definition.parent_job().empty();
        index->apply(JobChanged{std::move(summary), true});
      });
}

}  // namespace dkron::state
