# golden tests, one CTest a command; they need the program
if(TARGET rag)
  file(GLOB cli_commands RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/cli
      CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cli/*)
  foreach(command ${cli_commands})
    if(IS_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/cli/${command})
      add_test(NAME cli.${command}
          COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/run.sh $<TARGET_FILE:rag> ${command})
      set_tests_properties(cli.${command} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
    endif()
  endforeach()
  # the examples of docs/cli.md, and docs/settings.md against the table
  add_test(NAME docs.examples
      COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/check/docs.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:rag>)
  set_tests_properties(docs.examples PROPERTIES TIMEOUT 600)
endif()
