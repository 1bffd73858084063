# What `cmake --install` and `cpack -G DEB` take along: the executables, machine descriptions and shapes, the tiny model
# to try them with, and what the project is.
include(GNUInstallDirs)
set(share ${CMAKE_INSTALL_DATADIR}/lpu)
# Debian keeps libMLIR in a folder of its own, where the loader does not look unless told to.
set_target_properties(lpucc lpu-opt lpu-interpret PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)

install(TARGETS lpucc lpu-opt lpu-interpret lpu-run lpu-eval lpu-explore lpu-serve lpu-load lpu-as lpu-objdump
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT lpu)
install(DIRECTORY isa/arch/ DESTINATION ${share}/arch COMPONENT lpu FILES_MATCHING PATTERN "*.yaml")
install(DIRECTORY models/arch/ DESTINATION ${share}/models/arch COMPONENT lpu FILES_MATCHING PATTERN "*.yaml")
install(FILES models/tiny/model.gguf models/tiny/PROVENANCE.md models/tiny/eval-text.txt
        DESTINATION ${share}/models/tiny COMPONENT lpu)
install(FILES serve/deploy/lpu-serve.service serve/deploy/lpu-serve.socket DESTINATION lib/systemd/system COMPONENT lpu)
install(FILES serve/deploy/serve.toml serve/deploy/nginx.conf DESTINATION ${share}/serve COMPONENT lpu)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT lpu)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright COMPONENT lpu)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lpu)
set(CPACK_PACKAGE_VENDOR "the authors of lpu")
set(CPACK_PACKAGE_CONTACT "the authors of lpu <authors@lpu.invalid>")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};${CMAKE_PROJECT_NAME};lpu;/")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# One run over several processes is started by mpirun.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS openmpi-bin)
include(CPack)
