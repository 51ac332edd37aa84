# Libraries of the system, found once: terrarium_libs_base (xxHash, libdeflate, libcrypto), libcheck for tests.
find_package(PkgConfig REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(DEFLATE REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
pkg_check_modules(RAFT IMPORTED_TARGET raft)
pkg_check_modules(JEMALLOC IMPORTED_TARGET jemalloc)
add_library(terrarium_libs_base INTERFACE)
target_link_libraries(terrarium_libs_base INTERFACE PkgConfig::XXHASH PkgConfig::DEFLATE PkgConfig::CRYPTO)

add_library(terrarium_libs_live INTERFACE)
target_link_libraries(terrarium_libs_live INTERFACE PkgConfig::UV)
