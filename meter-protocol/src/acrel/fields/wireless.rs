//! Wireless and cloud settings. They hold credentials: never log them.

use super::{ascii, high, low, raw, word};
use crate::map::Access::{Guarded, ReadWrite};
use crate::map::Confidence::VendorTool;
use crate::map::{Raw, Text, Unit};

fields! {
    MODE "Wireless mode": u16 = word("wireless_mode", 0x1300).access(Guarded);
    UPLOAD_INTERVAL "Interval of uploads": u16 =
        word("upload_interval", 0x1301).unit(Unit::Minute).access(ReadWrite).known_from("S1;S2", VendorTool);
    SERIAL_NUMBER "Serial number of the radio": Text = ascii("wireless_serial_number", 0x1302, 8);
    SERVER_IP "Server, IPv4 address": Raw = raw("server_ip", 0x130A, 2).scale_unknown().access(Guarded);
    SERVER_PORT "Server, port": u16 = word("server_port", 0x130C).access(Guarded);
    PROTOCOL_MODE "Protocol of the uplink": u8 = high("protocol_mode", 0x130D).access(Guarded);
    DOMAIN_LENGTH "Characters of the server's name": u8 = low("domain_length", 0x130D).access(Guarded);
    SERVER_DOMAIN "Server, name": Text = ascii("server_domain", 0x130E, 12);
    DEVICE_COUNT "Devices to upload": u8 = high("device_count", 0x131A).access(Guarded);
    SEGMENT_COUNT "Segments to upload": u8 = low("segment_count", 0x131A).access(Guarded);
    ALARM_SEGMENT_COUNT "Alarm segments to upload": u8 = high("alarm_segment_count", 0x131B).access(Guarded);
    TCP_FLAG "TCP flag": u8 = low("tcp_flag", 0x131B).access(Guarded);
    SEGMENT_STARTS "First registers of segments 1 to 8": Raw = raw("segment_starts", 0x131C, 8).access(Guarded);
    SEGMENT_LENGTHS "Lengths of segments 1 to 8": Raw = raw("segment_lengths", 0x1324, 8).access(Guarded);
    ALARM_SEGMENTS "Alarm segments 1 to 8": Raw = raw("alarm_segments", 0x132C, 8).access(Guarded);
    APN "Access point name": Text = ascii("apn", 0x1338, 15).hidden();
    HEARTBEAT_INTERVAL "Interval of heartbeats": u16 = word("heartbeat_interval", 0x1347).access(ReadWrite);
    APN_ENABLE "Whether the access point name is used": u16 = word("apn_enable", 0x1348).access(Guarded);
    STATUS "Radio: software, signal, CCID, counters, IMEI": Raw =
        raw("wireless_status", 0x1700, 44).scale_unknown().hidden();
    WIFI "WiFi settings, with their password": Raw =
        raw("wifi_settings", 0x1910, 51).scale_unknown().access(Guarded).hidden();
    CLOUD_PROTOCOL "Cloud: protocol": u8 = high("cloud_protocol", 0x1950).access(Guarded);
    CLOUD_PLATFORM "Cloud: platform": u8 = low("cloud_platform", 0x1950).access(Guarded);
    CLOUD_DOMAIN "Cloud: server's name": Text = ascii("cloud_domain", 0x1951, 20);
    CLOUD_PORT "Cloud: port": u16 = word("cloud_port", 0x1965).access(Guarded);
    CLOUD_REPORT_PERIOD "Cloud: period of reports": u16 = word("cloud_report_period", 0x1966).access(Guarded);
    CLOUD_CREDENTIALS "Cloud: user name and password (secret)": Text = ascii("cloud_credentials", 0x1967, 40).hidden();
    CLOUD_SITES "Cloud: serial, debug site, registration site, model": Raw =
        raw("cloud_sites", 0x198F, 60).scale_unknown().access(Guarded).hidden();
    TIME_ZONE "Time zone: index, flag A5H, signed hour, minute": Raw =
        raw("time_zone", 0x19CB, 2).scale_unknown().access(Guarded);
}
