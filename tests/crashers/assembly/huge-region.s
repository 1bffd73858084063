.region "r" kind=constant side=e slice0=0 slices=28 bank=0 row0=0 rows=1024
.row ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
.region "r" kind=zero side=e slice0=0 slices=99999999 bank=0 row0=0 rows=99999999
