# Writes the commit of the sources to OUTPUT, as a macro; run with every build, and only a change is written.
# cmake -DSOURCE=... -DOUTPUT=... [-DCOMMIT=...] -P WriteCommit.cmake
# COMMIT: what it is, for sources that are no checkout.
if(NOT COMMIT)
  set(COMMIT unknown)
  find_program(GIT git)
  # A file above the sources may belong to a repository that has nothing to do with them.
  if(GIT AND EXISTS ${SOURCE}/.git)
    execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --short=12 HEAD
                    OUTPUT_VARIABLE head RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(NOT failed)
      set(COMMIT ${head})
      execute_process(COMMAND ${GIT} -C ${SOURCE} status --porcelain --untracked-files=no
                      OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
      if(changes)
        string(APPEND COMMIT "+changes")
      endif()
    endif()
  endif()
endif()
set(text "#define LPU_COMMIT \"${COMMIT}\"\n")
set(before "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
