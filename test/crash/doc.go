// Package crash kills a serving Weir with kill -9 under load, again and again, and audits its ledger after each restart
// by what the other two sides saw: the clients, which answers were released to them; the simulated providers, which
// attempts reached them and what those cost.
//
// It proves nothing about power loss, since the page cache survives kill -9; the images of internal/store do that.
package crash
