package httpapi

import (
	"flag"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	objects "strongroom/blobstore/object"
	"strongroom/blobstore/s3/s3test"
	"strongroom/engine"
	"strongroom/engine/cluster"
	"strongroom/engine/cluster/clustertest"
	"strongroom/engine/enginetest"
)

var (
	everyConversation = flag.Bool("conversations", false, "replay all conversations with vaults that live in a store, not some; in a real one if "+s3test.Program+" names it")
	someConversations = []string{"versions", "holds"}
)

// FrontKey is the key that the servers of a conversation share.
var FrontKey = [32]byte{7}

// TestConversationsInStore replays the conversations with vaults that live in a store: a
// client notices nothing of it.
func TestConversationsInStore(t *testing.T) { converse(t, false, inStores()) }

// ConverseInStoreWithSignIn replays those that need the room of sign-in, all with the others.
func ConverseInStoreWithSignIn(t *testing.T, room func(*testing.T, map[string]*enginetest.Kit) Plugged) {
	if !*everyConversation {
		t.Skip("only with -conversations")
	}
	as := inStores()
	as.room = room
	converse(t, true, as)
}

func inStores() conversation {
	return conversation{
		skips: func(name string) bool { return !*everyConversation && !slices.Contains(someConversations, name) },
		lives: func(t *testing.T, c *conversation) home {
			store := objects.Store(objects.NewMemory())
			if *everyConversation && os.Getenv(s3test.Program) != "" && !c.later { // in a bubble there is no network
				store = s3test.Start(t).Open(strings.ToLower(t.Name()))
			}
			return living(store, "")
		},
	}
}

// living is a home in a store, of a server that has a URL, or none.
func living(store objects.Store, url string) home {
	return func(t *testing.T, o engine.Options) *enginetest.Kit {
		k, _ := clustertest.New(t, cluster.Config{
			Objects: objects.Under(store, o.Name+"/"), Options: o, Server: "owner", URL: url, SealKey: &FrontKey,
		})
		return k
	}
}

// ConverseThrough replays the conversations, but for some, through a server that follows
// the one of the test. It is started by front, with the store that both share, and ended
// with the test. Each read asks for all that was changed before.
func ConverseThrough(t *testing.T, but []string, front func(t *testing.T, store objects.Store, o Options) (address string)) {
	converse(t, false, conversation{
		skips: func(name string) bool {
			return slices.Contains(but, name) || !*everyConversation && name != someConversations[0]
		},
		lives: func(t *testing.T, c *conversation) home {
			store := objects.NewMemory()
			on, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c.on = on
			c.front = func(t *testing.T) string { return front(t, store, c.options) }
			return living(store, "http://"+on.Addr().String())
		},
	})
}
