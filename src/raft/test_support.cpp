#include "raft/test_support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "base/random.h"

namespace dkron::raft::testing {

TemporaryDirectory::TemporaryDirectory() {
  const char* base = std::getenv("TMPDIR");
  std::string name = std::string(base != nullptr ? base : "/tmp") + "/dkron-raft-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Post TestLoop::post() {
  return [shared = shared_](Task task) {
    const std::lock_guard lock(shared->mutex);
    shared->tasks.push_back(std::move(task));
    shared->changed.notify_one();
  };
}

bool TestLoop::run_until(const std::function<bool()>& done, Duration limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    Task task;
    {
      std::unique_lock lock(shared_->mutex);
      // Wakes up now and then, since `done` may look at what other threads publish.
      shared_->changed.wait_for(lock, milliseconds(5), [&] { return !shared_->tasks.empty(); });
      if (!shared_->tasks.empty()) {
        task = std::move(shared_->tasks.front());
        shared_->tasks.pop_front();
      }
    }
    if (task) task();
    if (std::chrono::steady_clock::now() > end) return done();
  }
  return true;
}

// File: any number of "<index>\n<count>\n" with count times "<size>\n<bytes>".
FileMachine::FileMachine(Path file) : file_(std::move(file)) {
  auto content = read_file(file_, std::size_t{1} << 30);
  if (content) parse(*content);
}

void FileMachine::parse(std::string_view text) {
  const auto number = [&] {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) throw std::runtime_error("cut");
    const std::uint64_t value = std::stoull(std::string(text.substr(0, end)));
    text.remove_prefix(end + 1);
    return value;
  };
  try {
    while (!text.empty()) {
      const std::uint64_t index = number();
      std::vector<std::string> added(number());
      for (std::string& value : added) {
        const std::uint64_t size = number();
        if (text.size() < size) throw std::runtime_error("cut");
        value = text.substr(0, size);
        text.remove_prefix(size);
      }
      applied_index_ = index;
      values_.insert(values_.end(), added.begin(), added.end());
    }
  } catch (const std::exception&) {
    // A batch that was cut by a kill does not count.
  }
}

Result<std::vector<Outcome>> FileMachine::apply(std::uint64_t index,
                                                std::span<const CommandView> commands) {
  std::unique_lock lock(mutex_);
  is_waiting_ = true;
  released_.notify_all();
  released_.wait(lock, [this] { return !is_held_; });
  is_waiting_ = false;
  if (index <= applied_index_) std::abort();
  ++applied_entries_;
  std::vector<Outcome> outcomes;
  std::string batch = std::to_string(index) + "\n" + std::to_string(commands.size()) + "\n";
  for (const CommandView& command : commands) {
    if (command.kind == kBadKind) return fail(ErrorCode::Internal, "unknown command kind 99");
    values_.emplace_back(command.payload);
    batch += std::to_string(command.payload.size()) + "\n" + std::string(command.payload);
    outcomes.push_back({ErrorCode::Ok, "", "re:" + std::string(command.payload.substr(0, 64))});
  }
  applied_index_ = index;
  auto fd = open_file(file_, O_WRONLY | O_CREAT | O_APPEND);
  if (!fd) return fail(fd.error());
  if (auto written = write_all(fd->get(), batch, file_); !written) return fail(written.error());
  return outcomes;
}

void FileMachine::publish() {
  const std::lock_guard lock(mutex_);
  ++published_;
}

std::uint64_t FileMachine::applied_index() const {
  const std::lock_guard lock(mutex_);
  return applied_index_;
}

std::string FileMachine::serialize() const {
  std::string text = std::to_string(applied_index_) + "\n" + std::to_string(values_.size()) + "\n";
  for (const std::string& value : values_) text += std::to_string(value.size()) + "\n" + value;
  return text;
}

// The manifest of this machine is its index, and the files of a checkpoint with their sizes. A
// checkpoint is a directory; the state is cut into files of kPartBytes.
constexpr std::size_t kPartBytes = 8 * 1024 * 1024;

struct Manifest {
  std::uint64_t index = 0;
  std::vector<SnapshotFile> files;
};

Manifest parse_manifest(std::string_view text) {
  Manifest manifest;
  std::istringstream in{std::string(text)};
  in >> manifest.index;
  SnapshotFile file;
  while (in >> file.name >> file.size_bytes) {
    file.is_immutable = true;
    manifest.files.push_back(file);
  }
  return manifest;
}

Path FileMachine::checkpoint_path(std::uint64_t index) const {
  return file_.parent_path() / "checkpoints" / std::to_string(index);
}

Path FileMachine::incoming_path(std::uint64_t index) const {
  return file_.parent_path() / "incoming" / std::to_string(index);
}

Result<std::string> FileMachine::take_snapshot() {
  const std::lock_guard lock(mutex_);
  const Path checkpoint = checkpoint_path(applied_index_);
  if (auto made = make_directories(checkpoint); !made) return fail(made.error());
  std::string manifest = std::to_string(applied_index_) + "\n";
  const std::string text = serialize();
  for (std::size_t at = 0; at < text.size(); at += kPartBytes) {
    const std::string part = text.substr(at, kPartBytes);
    const std::string name = "part-" + std::to_string(100 + at / kPartBytes);
    if (auto written = write_file_durably(checkpoint / name, part); !written) {
      return fail(written.error());
    }
    manifest += name + " " + std::to_string(part.size()) + "\n";
  }
  return manifest;
}

Result<bool> FileMachine::holds(std::string_view text) {
  const std::lock_guard lock(mutex_);
  const Manifest manifest = parse_manifest(text);
  return manifest.index <= applied_index_ ||
         std::filesystem::exists(checkpoint_path(manifest.index));
}

Result<SnapshotSource> FileMachine::snapshot_source(std::string_view text) {
  const std::lock_guard lock(mutex_);
  Manifest manifest = parse_manifest(text);
  const Path directory = checkpoint_path(manifest.index);
  if (!std::filesystem::exists(directory)) return fail(ErrorCode::NotFound, "it is gone");
  return SnapshotSource{directory, std::move(manifest.files), std::make_shared<int>()};
}

Result<SnapshotTarget> FileMachine::snapshot_target(std::string_view text) {
  const std::lock_guard lock(mutex_);
  Manifest manifest = parse_manifest(text);
  SnapshotTarget target{incoming_path(manifest.index), std::move(manifest.files), {}};
  std::error_code ignored;
  for (const auto& donor :
       std::filesystem::directory_iterator(file_.parent_path() / "checkpoints", ignored)) {
    target.donors.push_back(donor.path());
  }
  if (auto made = make_directories(target.directory); !made) return fail(made.error());
  return target;
}

Result<void> FileMachine::snapshot_received(std::string_view text) {
  const std::lock_guard lock(mutex_);
  const Manifest manifest = parse_manifest(text);
  const Path checkpoint = checkpoint_path(manifest.index);
  if (auto made = make_directories(checkpoint.parent_path()); !made) return made;
  std::filesystem::rename(incoming_path(manifest.index), checkpoint);
  return {};
}

void FileMachine::snapshot_stored(std::string_view) {
  const std::lock_guard lock(mutex_);
  ++stored_snapshots_;
}

Result<void> FileMachine::restore(std::string_view manifest) {
  const std::lock_guard lock(mutex_);
  const Manifest parsed = parse_manifest(manifest);
  if (parsed.index <= applied_index_) return {};
  std::string text;
  for (const SnapshotFile& file : parsed.files) {
    auto part = read_file(checkpoint_path(parsed.index) / file.name, std::size_t{1} << 30);
    if (!part) return fail(part.error());
    text += *part;
  }
  ++restored_;
  values_.clear();
  parse(text);
  return write_file_durably(file_, text);
}

void FileMachine::hold() {
  const std::lock_guard lock(mutex_);
  is_held_ = true;
}

void FileMachine::release() {
  const std::lock_guard lock(mutex_);
  is_held_ = false;
  released_.notify_all();
}

void FileMachine::wait_until_held() {
  std::unique_lock lock(mutex_);
  released_.wait(lock, [this] { return is_held_ && is_waiting_; });
}

std::vector<std::string> FileMachine::values() const {
  const std::lock_guard lock(mutex_);
  return values_;
}

std::size_t FileMachine::applied_entries() const {
  const std::lock_guard lock(mutex_);
  return applied_entries_;
}

std::size_t FileMachine::published() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

std::size_t FileMachine::stored_snapshots() const {
  const std::lock_guard lock(mutex_);
  return stored_snapshots_;
}

std::size_t FileMachine::restored() const {
  const std::lock_guard lock(mutex_);
  return restored_;
}

TestNode::TestNode(Path data_directory, std::string name) {
  options.directory = data_directory / "raft";
  options.node_name = std::move(name);
  options.address = "127.0.0.1:1";
  options.bootstrap = true;
  options.post = loop.post();
  options.on_fatal = [this](Error error) { fatal = std::move(error); };
}

Result<void> TestNode::open() {
  node.reset();
  if (auto made = make_directories(options.directory); !made) return made;
  machine = std::make_unique<FileMachine>(options.directory.parent_path() / "state");
  auto opened = Node::open(options, *machine);
  if (!opened) return fail(opened.error());
  node = std::move(*opened);
  return {};
}

Result<std::vector<Outcome>> TestNode::propose(std::string payload, std::uint16_t kind) {
  // Shared, since the answer of a call that timed out may still come.
  auto answer = std::make_shared<std::optional<Result<std::vector<Outcome>>>>();
  std::vector<Command> commands(1);
  commands[0].kind = kind;
  commands[0].payload = std::move(payload);
  node->propose(std::move(commands),
                [answer](Result<std::vector<Outcome>> result) { *answer = std::move(result); });
  if (!loop.run_until([&] { return answer->has_value(); })) {
    return fail(ErrorCode::Timeout, "no answer");
  }
  return **answer;
}

Result<void> TestNode::ask(const std::function<void(Node&, Node::OnDone)>& call) {
  auto answer = std::make_shared<std::optional<Result<void>>>();
  call(*node, [answer](Result<void> result) {
    if (answer->has_value()) std::abort();  // Answered twice.
    *answer = std::move(result);
  });
  if (!loop.run_until([&] { return answer->has_value(); })) {
    return fail(ErrorCode::Timeout, "no answer");
  }
  return **answer;
}

Result<void> TestNode::snapshot() {
  return ask([](Node& n, Node::OnDone done) { n.snapshot(std::move(done)); });
}

void flip_byte(const Path& file, std::uint64_t offset) {
  auto fd = open_file(file, O_RDWR);
  char byte = 0;
  const auto at = static_cast<off_t>(offset);
  if (!fd || ::pread(fd->get(), &byte, 1, at) != 1) std::abort();
  byte = static_cast<char>(byte ^ 0x55);
  if (::pwrite(fd->get(), &byte, 1, at) != 1) std::abort();
}

std::vector<Path> files_with_prefix(const Path& directory, std::string_view prefix) {
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with(prefix)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::uint64_t test_seed() {
  const char* given = std::getenv("SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : system_random().next();
  std::printf("SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace dkron::raft::testing
