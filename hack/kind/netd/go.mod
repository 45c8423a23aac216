module arpeggio/kind/netd

go 1.24
