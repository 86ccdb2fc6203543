#include "config/file.h"

#include <toml++/toml.h>
#include <yaml-cpp/yaml.h>
#include <algorithm>
#include <boost/json.hpp>
#include <sstream>

namespace dkron::config {
namespace {

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

// What the three libraries' trees have in common. Their parsers bound the depth (500, 256 and 32).
struct Tree {
  enum class Kind { Scalar, List, Map };
  Kind kind = Kind::Scalar;
  std::string text;
  struct Member;
  std::vector<Tree> items;      // List
  std::vector<Member> members;  // Map
};
struct Tree::Member {
  std::string name;
  Tree tree;
};

Tree to_tree(const YAML::Node& node) {
  Tree tree;
  if (node.IsMap()) {
    tree.kind = Tree::Kind::Map;
    for (const auto& entry : node)
      tree.members.push_back({entry.first.Scalar(), to_tree(entry.second)});
  } else if (node.IsSequence()) {
    tree.kind = Tree::Kind::List;
    for (const auto& item : node) tree.items.push_back(to_tree(item));
  } else if (node.IsScalar()) {
    tree.text = node.Scalar();
  }
  return tree;
}

Tree to_tree(const toml::node& node) {
  Tree tree;
  if (const auto* table = node.as_table()) {
    tree.kind = Tree::Kind::Map;
    for (const auto& [key, value] : *table)
      tree.members.push_back({std::string(key.str()), to_tree(value)});
  } else if (const auto* array = node.as_array()) {
    tree.kind = Tree::Kind::List;
    for (const toml::node& item : *array) tree.items.push_back(to_tree(item));
  } else if (const auto* text = node.as_string()) {
    tree.text = text->get();
  } else {
    std::ostringstream out;
    node.visit([&out](const auto& value) {
      if constexpr (toml::is_value<decltype(value)>) out << value;
    });
    tree.text = out.str();
  }
  return tree;
}

Tree to_tree(const boost::json::value& value) {
  Tree tree;
  if (value.is_object()) {
    tree.kind = Tree::Kind::Map;
    for (const auto& member : value.as_object()) {
      tree.members.push_back({std::string(member.key()), to_tree(member.value())});
    }
  } else if (value.is_array()) {
    tree.kind = Tree::Kind::List;
    for (const auto& item : value.as_array()) tree.items.push_back(to_tree(item));
  } else if (value.is_string()) {
    tree.text = std::string(value.as_string());
  } else if (!value.is_null()) {
    tree.text = boost::json::serialize(value);
  }
  return tree;
}

Result<Tree> parse_yaml(const std::string& text) {
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsDefined() || root.IsNull()) return Tree{Tree::Kind::Map, {}, {}, {}};
    return to_tree(root);
  } catch (const YAML::Exception& e) {
    return invalid(e.what());
  }
}

// Bytes that are not ASCII, written as ASCII: the parser of TOML reaches what it has declared
// unreachable at some of them. A mark that the text does not hold stands before each byte's two
// digits, so that they are found again in what was parsed.
class AsciiCover {
 public:
  explicit AsciiCover(std::string_view text) {
    while (text.find(mark_) != text.npos) mark_ += 'q';
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x80) {
        covered_ += c;
      } else {
        covered_ += mark_;
        covered_ += kDigits[byte >> 4];
        covered_ += kDigits[byte & 15];
      }
    }
  }
  const std::string& covered() const { return covered_; }

  std::string uncover(std::string_view text) const {
    std::string bytes;
    for (;;) {
      const std::size_t at = text.find(mark_);
      bytes += text.substr(0, at);
      if (at == text.npos || text.size() - at < mark_.size() + 2) return bytes;
      const std::size_t high = kDigits.find(text[at + mark_.size()]);
      const std::size_t low = kDigits.find(text[at + mark_.size() + 1]);
      bytes += static_cast<char>(high << 4 | low);
      text.remove_prefix(at + mark_.size() + 2);
    }
  }
  void uncover(Tree* tree) const {
    tree->text = uncover(tree->text);
    for (Tree& item : tree->items) uncover(&item);
    for (auto& [key, member] : tree->members) {
      key = uncover(key);
      uncover(&member);
    }
  }

 private:
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string mark_ = "Zq";
  std::string covered_;
};

Result<Tree> parse_toml(const std::string& text) {
  const AsciiCover cover(std::string_view(text).substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0));
  try {
    Tree tree = to_tree(static_cast<const toml::node&>(toml::parse(cover.covered())));
    cover.uncover(&tree);
    return tree;
  } catch (const toml::parse_error& e) {
    return invalid("line " + std::to_string(e.source().begin.line) + ": " +
                   cover.uncover(e.description()));
  }
}

Result<Tree> parse_json(const std::string& text) {
  boost::json::error_code error;
  const auto root = boost::json::parse(text, error);
  if (error) return invalid(error.message());
  return to_tree(root);
}

// NAME=value lines, `#` comments, an optional `export`, single or double quotes.
Result<Tree> parse_dotenv(const std::string& text) {
  Tree tree{Tree::Kind::Map, {}, {}, {}};
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    if (line.starts_with("export ")) line = line.substr(7);
    const auto equals = line.find('=');
    if (equals == std::string::npos || equals == 0) {
      return invalid("line " + std::to_string(number) + ": NAME=value is expected");
    }
    Tree value;
    value.text = line.substr(equals + 1);
    const std::string& raw = value.text;
    const bool quoted =
        raw.size() >= 2 && (raw[0] == '"' || raw[0] == '\'') && raw.back() == raw[0];
    if (quoted) value.text = raw.substr(1, raw.size() - 2);
    tree.members.push_back({line.substr(0, equals), std::move(value)});
  }
  return tree;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  return text;
}

// Some published examples carry a stray quote at the end of a key.
std::string clean_key(const std::string& key) {
  std::string cleaned = lower(key);
  while (!cleaned.empty() && (cleaned.back() == '"' || cleaned.back() == '\'')) cleaned.pop_back();
  return cleaned;
}

Result<void> add_members(const std::string& key, const Tree& tree, Map* map) {
  for (const auto& [name, member] : tree.members) {
    if (member.kind != Tree::Kind::Scalar) return invalid("'" + key + "' is nested too deep");
    (*map)[name] = member.text;
  }
  return {};
}

Result<FileValue> to_value(const std::string& key, const Tree& tree) {
  FileValue value;
  value.text = tree.text;
  if (tree.kind == Tree::Kind::Map) {
    value.kind = FileValue::Kind::Mapping;
    if (auto added = add_members(key, tree, &value.map); !added) return fail(added.error());
  }
  if (tree.kind != Tree::Kind::List) return value;
  value.kind = FileValue::Kind::Sequence;
  for (const Tree& item : tree.items) {
    if (item.kind == Tree::Kind::List) return invalid("'" + key + "' is nested too deep");
    if (item.kind == Tree::Kind::Scalar) value.list.push_back(item.text);
    if (auto added = add_members(key, item, &value.map); !added) return fail(added.error());
  }
  if (!value.map.empty() && !value.list.empty())
    return invalid("'" + key + "' mixes texts and mappings");
  if (!value.map.empty()) value.kind = FileValue::Kind::Mapping;
  return value;
}

Result<Tree> parse_tree(std::string_view extension, const std::string& text) {
  if (extension == "yaml" || extension == "yml") return parse_yaml(text);
  if (extension == "toml") return parse_toml(text);
  if (extension == "json") return parse_json(text);
  if (extension == "env" || extension == "dotenv") return parse_dotenv(text);
  return invalid("unsupported configuration format \"" + std::string(extension) +
                 "\": use yaml, yml, toml, json, env or dotenv");
}

}  // namespace

Result<FileValues> parse_config(std::string_view extension, const std::string& text) {
  auto tree = parse_tree(extension, text);
  if (!tree) return fail(tree.error());
  if (tree->kind != Tree::Kind::Map)
    return invalid("a mapping of keys to values is expected at the top");
  FileValues values;
  for (const auto& [name, member] : tree->members) {
    const std::string key = clean_key(name);
    auto value = to_value(key, member);
    if (!value) return fail(value.error());
    values[key] = std::move(*value);
  }
  return values;
}

Result<FileValues> read_config_file(const Path& path) {
  auto text = read_file(path, kFileLimitBytes);
  if (!text) return fail(text.error());
  std::string extension = path.extension().string();
  if (!extension.empty()) extension.erase(0, 1);
  auto values = parse_config(lower(extension), *text);
  if (!values) return invalid(path.string() + ": " + values.error().message);
  return values;
}

std::optional<Path> find_config_file(const Path& home, const Path& working_directory) {
  for (const Path& directory :
       {Path("/etc/dkron"), home / ".dkron", working_directory / "config"}) {
    for (const char* extension : {"json", "toml", "yaml", "yml", "dotenv", "env"}) {
      const Path path = directory / (std::string("dkron.") + extension);
      std::error_code error;
      if (std::filesystem::is_regular_file(path, error)) return path;
    }
  }
  return std::nullopt;
}

}  // namespace dkron::config
