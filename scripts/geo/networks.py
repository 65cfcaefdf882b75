"""Writes an MMDB file that tells an address's network, from tables of ranges.

Arguments: the file to write, then the tables: CSV of first address, last address, number, name.
"""

import csv
import sys

from mmdb_writer import MMDBWriter
from netaddr import IPRange, IPSet

LICENCE = "IP to ASN by DB-IP.com, routeviews.org and nro.net, CC BY 4.0"


def main(path: str, tables: list[str]) -> None:
    networks = MMDBWriter(
        ip_version=6, ipv4_compatible=True, database_type="ASN", languages=["en"], description=LICENCE
    )
    for table in tables:
        with open(table, newline="", encoding="utf-8") as rows:
            for first, last, number, name in csv.reader(rows):
                network = {"autonomous_system_number": int(number), "autonomous_system_organization": name}
                networks.insert_network(IPSet(IPRange(first, last)), network)
    networks.to_db_file(path)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
