#include "cron/fields.h"

#include <optional>
#include <string>

#include "base/assert.h"
#include "base/go_text.h"

namespace dkron::cron {
namespace {

struct Bounds {
  std::uint64_t min;
  std::uint64_t max;
  // Three-letter names in lower case; the first stands for `min`.
  std::vector<std::string_view> names;
};

const Bounds& bounds_of(std::size_t field) {
  static const Bounds kBounds[] = {
      {0, 59, {}},
      {0, 59, {}},
      {0, 23, {}},
      {1, 31, {}},
      {1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
      {0, 6, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}};
  return kBounds[field];
}

struct Field {
  std::uint64_t bits = 0;
  bool is_star = false;
};

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}

Result<std::uint64_t> parse_number(std::string_view text) {
  const auto value = go::parse_int(text);
  const std::string shown(text);
  if (!value) return invalid("failed to parse int from " + shown + ": " + value.error().message);
  if (*value < 0) {
    return invalid("negative number (" + std::to_string(*value) + ") not allowed: " + shown);
  }
  return static_cast<std::uint64_t>(*value);
}

std::optional<std::uint64_t> find_name(std::string_view text, const Bounds& bounds) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (std::size_t i = 0; i < bounds.names.size(); ++i) {
    if (bounds.names[i] == lower) return bounds.min + i;
  }
  return std::nullopt;
}

Result<std::uint64_t> parse_value(std::string_view text, const Bounds& bounds) {
  if (const auto named = find_name(text, bounds)) return *named;
  return parse_number(text);
}

struct Range {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t step = 1;
  bool is_star = false;
  bool is_single = false;
};

// `base` of a part: star, value or value-value. Behind a star nothing is looked at.
Result<Range> parse_base(std::string_view base, std::string_view part, const Bounds& bounds) {
  const auto ends = split(base, '-');
  Range range;
  range.is_single = ends.size() == 1;
  if (ends[0] == "*" || ends[0] == "?") {
    range.start = bounds.min;
    range.end = bounds.max;
    range.is_star = true;
    return range;
  }
  const auto start = parse_value(ends[0], bounds);
  if (!start) return fail(start.error());
  range.start = range.end = *start;
  if (ends.size() > 2) return invalid("too many hyphens: " + std::string(part));
  if (ends.size() == 2) {
    const auto end = parse_value(ends[1], bounds);
    if (!end) return fail(end.error());
    range.end = *end;
  }
  return range;
}

// The order of the checks decides which error is reported (spec engine 4.8).
Result<Range> parse_range(std::string_view part, const Bounds& bounds) {
  const auto pieces = split(part, '/');
  auto range = parse_base(pieces[0], part, bounds);
  if (!range) return range;
  const std::string shown(part);
  if (pieces.size() > 2) return invalid("too many slashes: " + shown);
  if (pieces.size() == 2) {
    const auto step = parse_number(pieces[1]);
    if (!step) return fail(step.error());
    range->step = *step;
    if (range->is_single) range->end = bounds.max;
    if (range->step > 1) range->is_star = false;
  }
  const auto number = [](std::uint64_t n) { return "(" + std::to_string(n) + ")"; };
  if (range->start < bounds.min) {
    return invalid("beginning of range " + number(range->start) + " below minimum " +
                   number(bounds.min) + ": " + shown);
  }
  if (range->end > bounds.max) {
    return invalid("end of range " + number(range->end) + " above maximum " + number(bounds.max) +
                   ": " + shown);
  }
  if (range->start > range->end) {
    return invalid("beginning of range " + number(range->start) + " beyond end of range " +
                   number(range->end) + ": " + shown);
  }
  if (range->step == 0) return invalid("step of range should be a positive number: " + shown);
  return range;
}

Result<Field> parse_field(std::string_view text, const Bounds& bounds) {
  Field field;
  for (const std::string_view part : split(text, ',')) {
    if (part.empty()) continue;
    const auto range = parse_range(part, bounds);
    if (!range) return fail(range.error());
    field.is_star = field.is_star || range->is_star;
    // `end` is below 64 here, so a step beyond it ends the loop without any overflow.
    for (std::uint64_t n = range->start; n <= range->end; n += range->step) {
      field.bits |= std::uint64_t{1} << n;
    }
  }
  if (field.bits == 0) return invalid("field selects nothing: " + std::string(text));
  return field;
}

}  // namespace

Result<FieldSet> parse_fields(const std::vector<std::string_view>& texts) {
  DK_ASSERT(texts.size() == 6);
  Field fields[6];
  for (std::size_t i = 0; i < 6; ++i) {
    const auto field = parse_field(texts[i], bounds_of(i));
    if (!field) return fail(field.error());
    fields[i] = *field;
  }
  return FieldSet{fields[0].bits,    fields[1].bits,    fields[2].bits,
                  fields[3].bits,    fields[4].bits,    fields[5].bits,
                  fields[2].is_star, fields[3].is_star, fields[5].is_star};
}

}  // namespace dkron::cron
