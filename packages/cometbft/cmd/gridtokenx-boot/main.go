// Command gridtokenx-boot tells nodes of a CometBFT network of each other, and does nothing else: it holds no chain,
// checks nothing and runs no application.
//
//	gridtokenx-boot start --home DIR
//
// DIR is a CometBFT home: `config/config.toml` (of which the section `p2p` counts), `config/genesis.json` (of which
// the chain's name counts), `config/node_key.json`, `config/addrbook.json`. It begins with the addresses under
// `persistent_peers`, visits whom it knows, asks them whom they know, and answers whoever asks: CometBFT's own peer
// exchange in seed mode. It ends on SIGTERM and SIGINT.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/p2p/pex"
	"github.com/cometbft/cometbft/version"
	"github.com/spf13/viper"
)

// linkSeconds is how long a visit lasts at most: there is nothing to be had on it after the addresses.
const linkSeconds = 600

func main() {
	home := flag.NewFlagSet("start", flag.ExitOnError)
	folder := home.String("home", "", "the CometBFT home")
	if len(os.Args) < 2 || os.Args[1] != "start" || home.Parse(os.Args[2:]) != nil || *folder == "" {
		fmt.Fprintln(os.Stderr, "usage: gridtokenx-boot start --home DIR")
		os.Exit(2)
	}
	if err := run(*folder); err != nil {
		fmt.Fprintln(os.Stderr, "gridtokenx-boot:", err)
		os.Exit(1)
	}
}

// run answers until a signal ends it.
func run(folder string) error {
	settings, err := read(folder)
	if err != nil {
		return err
	}
	logger := log.NewTMJSONLogger(log.NewSyncWriter(os.Stdout))
	logger = log.NewFilter(logger, log.AllowError())
	sw, transport, err := prepare(settings, logger)
	if err != nil {
		return err
	}
	if err := sw.Start(); err != nil {
		return err
	}
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM, syscall.SIGINT)
	<-ending
	err = sw.Stop()
	return firstOf(err, transport.Close())
}

// read takes the settings out of a home.
func read(folder string) (*config.Config, error) {
	found := viper.New()
	found.SetConfigFile(filepath.Join(folder, config.DefaultConfigDir, config.DefaultConfigFileName))
	if err := found.ReadInConfig(); err != nil {
		return nil, err
	}
	settings := config.DefaultConfig()
	if err := found.Unmarshal(settings); err != nil {
		return nil, err
	}
	settings.SetRoot(folder)
	return settings, settings.P2P.ValidateBasic()
}

// prepare makes a switch with peer exchange on it and nothing else, and lets it listen.
func prepare(settings *config.Config, logger log.Logger) (*p2p.Switch, *p2p.MultiplexTransport, error) {
	key, err := p2p.LoadNodeKey(settings.NodeKeyFile())
	if err != nil {
		return nil, nil, err
	}
	info, err := describe(settings, key)
	if err != nil {
		return nil, nil, err
	}
	listen, err := p2p.NewNetAddressString(p2p.IDAddressString(key.ID(), settings.P2P.ListenAddress))
	if err != nil {
		return nil, nil, err
	}
	book := pex.NewAddrBook(settings.P2P.AddrBookFile(), settings.P2P.AddrBookStrict)
	book.SetLogger(logger)
	book.AddOurAddress(listen)
	for _, text := range strings.Split(settings.P2P.PersistentPeers, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		address, err := p2p.NewNetAddressString(text)
		if err != nil {
			return nil, nil, err
		}
		if err := book.AddAddress(address, address); err != nil {
			return nil, nil, err
		}
	}
	transport := p2p.NewMultiplexTransport(info, *key, p2p.MConnConfig(settings.P2P))
	p2p.MultiplexTransportMaxIncomingConnections(settings.P2P.MaxNumInboundPeers)(transport)
	reactor := pex.NewReactor(book, &pex.ReactorConfig{
		SeedMode:                 true,
		SeedDisconnectWaitPeriod: linkSeconds * time.Second,
	})
	reactor.SetLogger(logger)
	sw := p2p.NewSwitch(settings.P2P, transport)
	sw.SetLogger(logger)
	sw.AddReactor("PEX", reactor)
	sw.SetNodeInfo(info)
	sw.SetNodeKey(key)
	sw.SetAddrBook(book)
	return sw, transport, transport.Listen(*listen)
}

// describe is what this node says of itself to whoever it meets.
func describe(settings *config.Config, key *p2p.NodeKey) (p2p.DefaultNodeInfo, error) {
	content, err := os.ReadFile(settings.GenesisFile())
	if err != nil {
		return p2p.DefaultNodeInfo{}, err
	}
	var genesis struct {
		Chain string `json:"chain_id"`
	}
	if err := json.Unmarshal(content, &genesis); err != nil {
		return p2p.DefaultNodeInfo{}, err
	}
	address := settings.P2P.ExternalAddress
	if address == "" {
		address = settings.P2P.ListenAddress
	}
	info := p2p.DefaultNodeInfo{
		ProtocolVersion: p2p.NewProtocolVersion(version.P2PProtocol, version.BlockProtocol, 0),
		DefaultNodeID:   key.ID(),
		ListenAddr:      address,
		Network:         genesis.Chain,
		Version:         version.TMCoreSemVer,
		Channels:        []byte{pex.PexChannel},
		Moniker:         settings.Moniker,
		Other:           p2p.DefaultNodeInfoOther{TxIndex: "off"},
	}
	return info, info.Validate()
}

// firstOf is the first of two that went wrong.
func firstOf(one, other error) error {
	if one != nil {
		return one
	}
	return other
}
