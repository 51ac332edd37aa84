# Writes OUT: what `terrarium version` says.
set(commit unknown)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty --abbrev=12 OUTPUT_VARIABLE found
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(commit ${found})
  endif()
endif()
set(text "/* Generated. */
#define BUILT_VERSION \"${VERSION}\"
#define BUILT_COMMIT \"${commit}\"
#define BUILT_COMPILER \"${COMPILER}\"
#define BUILT_TYPE \"${TYPE}\"
#define BUILT_DEFLATE \"${DEFLATE}\"
")
set(old "")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${OUT} "${text}")
endif()
