# dkron_library(<folder> SOURCES ... [DEPS ...]): one folder, one static library, called dkron_<folder>.
function(dkron_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(dkron_${name} STATIC ${ARG_SOURCES})
  target_include_directories(dkron_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(dkron_${name} PUBLIC ${ARG_DEPS} PRIVATE dkron_warnings)
endfunction()

# dkron_test(<folder> SOURCES ... [DEPS ...]): the folder's unit tests, one program and one ctest entry
# "unit.<folder>". Test data is read relative to the source tree (DKRON_SOURCE_DIR).
function(dkron_test name)
  if(NOT DKRON_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name}_test ${ARG_SOURCES})
  target_compile_definitions(${name}_test PRIVATE DKRON_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name}_test PRIVATE ${ARG_DEPS} dkron_warnings GTest::gmock GTest::gtest_main)
  add_test(NAME unit.${name} COMMAND ${name}_test)
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS unit)
endfunction()

# dkron_fuzz(<name> SOURCES ... DEPS ... SEEDS <folder>): tests/fuzz/<name>.cpp with libFuzzer; ctest
# entry "fuzz.<name>" runs it for 10 seconds over the seeds.
function(dkron_fuzz name)
  if(NOT DKRON_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "SEEDS" "SOURCES;DEPS" ${ARGN})
  add_executable(fuzz_${name} ${ARG_SOURCES})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_DEPS})
  add_test(NAME fuzz.${name}
           COMMAND fuzz_${name} -max_total_time=10 -timeout=10 -rss_limit_mb=2048 -print_final_stats=0
                   ${CMAKE_CURRENT_BINARY_DIR}/corpus_${name} ${ARG_SEEDS})
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/corpus_${name})
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 60)
endfunction()
