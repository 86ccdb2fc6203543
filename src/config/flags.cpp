#include "config/flags.h"

#include <algorithm>

#include "base/go_text.h"

namespace dkron::config {
namespace {

tl::unexpected<Error> usage_error(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

const Option* find_flag(std::span<const Option> options, std::string_view name) {
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const Option& o) { return o.is_flag && o.name == name; });
  return found == options.end() ? nullptr : &*found;
}

// Duration flags carry their name inside Go's text; every other type has the text of its parser.
Result<void> check_flag(const Option& option, const std::string& value) {
  if (auto checked = check_value(option.type, value); !checked) {
    return usage_error("invalid argument " + go::quote(value) + " for \"--" +
                       std::string(option.name) + "\" flag: " + checked.error().message);
  }
  return {};
}

// The text shown behind a flag's usage, "" when the default is the type's zero.
std::string shown_default(const Option& option) {
  if (option.standard.empty()) return "";
  const bool quoted = option.type == Type::String || option.type == Type::Strings;
  return " (default " + (quoted ? go::quote(option.standard) : std::string(option.standard)) + ")";
}

}  // namespace

std::string Flags::get(std::string_view name, std::span<const Option> options) const {
  if (const auto found = given.find(name); found != given.end()) return found->second.back();
  const Option* option = find_flag(options, name);
  return option == nullptr ? std::string() : std::string(option->standard);
}

Result<Flags> parse_flags(std::span<const std::string> arguments, std::span<const Option> options) {
  Flags flags;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      flags.positional.insert(flags.positional.end(),
                              arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                              arguments.end());
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') {
      flags.positional.push_back(argument);
      continue;
    }
    if (argument == "-h" || argument == "--help") {
      flags.wants_help = true;
      return flags;
    }
    if (argument[1] != '-') {
      return usage_error("unknown shorthand flag: '" + argument.substr(1, 1) + "' in " + argument);
    }
    const auto equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name.empty() || name[0] == '-') return usage_error("bad flag syntax: " + argument);
    const Option* option = find_flag(options, name);
    if (option == nullptr) return usage_error("unknown flag: --" + name);
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (option->type == Type::Bool) {
      value = "true";
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      return usage_error("flag needs an argument: --" + name);
    }
    if (auto checked = check_flag(*option, value); !checked) return fail(checked.error());
    flags.given[name].push_back(std::move(value));
  }
  return flags;
}

std::string describe_flags(std::span<const Option> options, std::string_view command_name) {
  struct Line {
    std::string name;
    std::string head;
    std::string usage;
  };
  std::vector<Line> lines{{"help", "  -h, --help", "help for " + std::string(command_name)}};
  for (const Option& option : options) {
    if (!option.is_flag) continue;
    std::string head = "      --" + std::string(option.name);
    if (const auto word = type_word(option.type); !word.empty()) head += " " + std::string(word);
    lines.push_back(
        {std::string(option.name), head, std::string(option.usage) + shown_default(option)});
  }
  std::sort(lines.begin(), lines.end(),
            [](const Line& a, const Line& b) { return a.name < b.name; });
  std::size_t width = 0;
  for (const Line& line : lines) width = std::max(width, line.head.size());
  std::string text;
  for (const Line& line : lines) {
    text += line.head + std::string(width - line.head.size() + 3, ' ');
    for (const char c : line.usage) {
      text += c;
      if (c == '\n') text.append(width + 3, ' ');
    }
    text += '\n';
  }
  return text;
}

}  // namespace dkron::config
