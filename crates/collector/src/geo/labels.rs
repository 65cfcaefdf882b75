//! Networks of which it is known what their addresses are used for.

/// A word of the network's name, in lower case, and what it says. The first that fits counts.
const LABELS: [(&str, &str); 38] = [
    ("yandex", "crawler"),
    ("baidu", "crawler"),
    ("facebook", "crawler"),
    ("bytedance", "crawler"),
    ("ahrefs", "crawler"),
    ("semrush", "crawler"),
    ("internet archive", "crawler"),
    ("openai", "crawler"),
    ("anthropic", "crawler"),
    ("perplexity", "crawler"),
    ("shodan", "crawler"),
    ("censys", "crawler"),
    ("amazon", "hosting"),
    ("google", "hosting"),
    ("microsoft", "hosting"),
    ("digitalocean", "hosting"),
    ("hetzner", "hosting"),
    ("ovh", "hosting"),
    ("linode", "hosting"),
    ("akamai", "hosting"),
    ("vultr", "hosting"),
    ("constant company", "hosting"),
    ("contabo", "hosting"),
    ("leaseweb", "hosting"),
    ("scaleway", "hosting"),
    ("alibaba", "hosting"),
    ("tencent", "hosting"),
    ("oracle", "hosting"),
    ("m247", "hosting"),
    ("datacamp", "hosting"),
    ("ionos", "hosting"),
    ("godaddy", "hosting"),
    ("rackspace", "hosting"),
    ("cloudflare", "hosting"),
    ("fastly", "hosting"),
    ("hosting", "hosting"),
    ("datacenter", "hosting"),
    ("data center", "hosting"),
];

/// `hosting` for networks of rented machines, `crawler` for those known for what reads the web.
///
/// A hint by name: machines of a crawler's owner do other things too.
pub fn label(network: &str) -> Option<&'static str> {
    let name = network.to_lowercase();
    LABELS.iter().find(|(word, _)| name.contains(word)).map(|(_, label)| *label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_rented_machines_and_of_crawlers_have_a_label() {
        assert_eq!(label("AS24940 Hetzner Online GmbH"), Some("hosting"));
        assert_eq!(label("AS13238 YANDEX LLC"), Some("crawler"));
        assert_eq!(label("AS64496 Example City Networks"), None);
        assert!(LABELS.iter().all(|(word, _)| *word == word.to_lowercase()));
    }
}
